package tfmodel

// #include "tensorflow/c/c_api.h"
import "C"

import (
	"fmt"
	"sync"

	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// operations lists the operations of the TensorFlow that is linked in.
var operations = sync.OnceValues(func() (graphdef.Ops, error) {
	buffer := C.TF_GetAllOpList()
	defer C.TF_DeleteBuffer(buffer)
	list := new(opdefpb.OpList)
	if err := proto.Unmarshal(C.GoBytes(buffer.data, C.int(buffer.length)), list); err != nil {
		return nil, fmt.Errorf("reading TensorFlow's list of operations: %w", err)
	}
	return graphdef.NewOps(list), nil
})
