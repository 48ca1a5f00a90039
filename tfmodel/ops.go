package tfmodel

// #include <stdlib.h>
// #include <malloc.h>
// #include "tensorflow/c/c_api.h"
//
// static void give_back(void) {
// #ifdef __GLIBC__
//   malloc_trim(0);
// #endif
// }
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// operations lists the operations of the TensorFlow that is linked in.
var operations = sync.OnceValues(func() (graphdef.Ops, error) {
	buffer := C.TF_GetAllOpList()
	defer C.TF_DeleteBuffer(buffer)
	list := new(opdefpb.OpList)
	if err := proto.Unmarshal(C.GoBytes(unsafe.Pointer(buffer.data), C.int(buffer.length)), list); err != nil {
		return nil, fmt.Errorf("reading TensorFlow's list of operations: %w", err)
	}
	return graphdef.NewOps(list), nil
})

// giveBackMemory returns to the system what the C allocator keeps after a load.
func giveBackMemory() { C.give_back() }
