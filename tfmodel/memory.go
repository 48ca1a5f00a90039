package tfmodel

// #include <stdlib.h>
// #include <malloc.h>
//
// static void use_system_allocator(void) {
//   setenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1", 0);
// }
//
// static void give_back(void) {
// #ifdef __GLIBC__
//   malloc_trim(0);
// #endif
// }
import "C"

import (
	"runtime"
	"runtime/debug"
	"time"
)

// TensorFlow's oneDNN build keeps all memory it ever had for tensors, so that a closed model, or the checkpoint that was
// only read to compile one, would stay resident for good. With the system's allocator it goes back. TensorFlow reads the
// variable once, at its first tensor; one that the user has set stays.
func init() { C.use_system_allocator() }

// giveBackMemory frees what nobody holds any more and returns it to the system: after a load, some copies of the
// weights; after a model is closed, all of it. TensorFlow's objects are freed by finalizers, those of a session by the
// finalizer of an object that holds it, so one collection is not enough.
func giveBackMemory() {
	for range 3 {
		collect()
	}
	debug.FreeOSMemory()
	C.give_back()
}

// collect runs the collector and then waits until it has begun to run the finalizers.
func collect() {
	begun := make(chan struct{})
	sentinel := &struct{ pointer *int }{} // without a pointer in it, it might share its memory with something that lives on
	runtime.SetFinalizer(sentinel, func(*struct{ pointer *int }) { close(begun) })
	runtime.GC()
	select {
	case <-begun:
	case <-time.After(time.Second): // somebody else's finalizer takes its time
	}
}
