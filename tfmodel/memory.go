package tfmodel

// #include <limits.h>
// #include <malloc.h>
// #include <stdlib.h>
//
// static int ours; // whether the allocator is ours to tune
//
// static void map_large(int yes) {
// #ifdef __GLIBC__
//   if (ours) mallopt(M_MMAP_MAX, yes ? 65536 : 0);
// #endif
// }
//
// static void use_system_allocator(void) {
//   if (getenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR")) return;
//   setenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1", 0);
//   ours = 1;
// #ifdef __GLIBC__
//   mallopt(M_ARENA_MAX, 1);
//   mallopt(M_TRIM_THRESHOLD, INT_MAX);
//   mallopt(M_TOP_PAD, 64 << 20);
// #endif
//   map_large(0);
// }
//
// static void give_back(void) {
// #ifdef __GLIBC__
//   malloc_trim(0);
// #endif
// }
import "C"

import (
	"runtime/debug"
	"sync"
)

// TensorFlow's oneDNN build keeps all memory it ever had for tensors, so that a closed model, or the checkpoint that was
// only read to compile one, would stay resident for good. The system's allocator can give it back, but left alone it
// does so after every run, and taking the memory anew costs up to half of a batch's time. So runs keep what they free,
// in one heap, and only loads take each large block from the system by itself. See RATIONALE "Why does explaind choose
// TensorFlow's allocator?".
//
// TensorFlow reads the variable once, at its first tensor; one that the user has set stays.
func init() { C.use_system_allocator() }

var loads struct {
	sync.Mutex
	under int // way
}

// beginLoad makes large blocks mappings of their own, which leave no holes when they are freed, until the function that
// it returns is called.
func beginLoad() (end func()) {
	count := func(by int) {
		loads.Lock()
		defer loads.Unlock()
		loads.under += by
		mapped := C.int(0)
		if loads.under > 0 {
			mapped = 1
		}
		C.map_large(mapped)
	}
	count(1)
	return func() { count(-1) }
}

// giveBackMemory returns to the system what was freed: after a load, copies of the weights and of the graph that Go or
// TensorFlow held; after a model is closed, all of it. Runs wait meanwhile where they want memory, for some ten milliseconds.
func giveBackMemory() {
	debug.FreeOSMemory()
	C.give_back()
}
