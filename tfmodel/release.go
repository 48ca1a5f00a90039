package tfmodel

import (
	"runtime"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// The binding frees tensors and graphs by finalizers only. The collector, which would run them, sees a few bytes of Go
// where TensorFlow holds megabytes, so it comes late, and the finalizers of a busy process come later still. So this
// package frees them itself, as soon as they are not needed, by the functions that the finalizers call. These have no
// exported name; that they exist is checked when the program is linked.
//
// TensorFlow counts the references to a tensor's memory: freeing one gives up this reference alone, while a variable that
// was assigned from it, or another tensor of the same values, keeps the memory.

//go:linkname deleteTensor github.com/galeone/tensorflow/tensorflow/go.(*Tensor).finalize
func deleteTensor(t *tf.Tensor)

//go:linkname deleteGraph github.com/galeone/tensorflow/tensorflow/go.(*Graph).finalizer
func deleteGraph(g *tf.Graph)

var tensorBytes atomic.Int64

// TensorBytes is how much memory, in bytes, the tensors take at this moment that runs of all models are fed with or have
// brought. Weights count only while a model loads.
func TensorBytes() int64 { return tensorBytes.Load() }

// count adds tensors to TensorBytes. Whoever counts them frees them.
func count(tensors ...*tf.Tensor) {
	for _, t := range tensors {
		tensorBytes.Add(int64(byteSize(t)))
	}
}

// free gives counted tensors back; nobody may look at them any more. It skips nil.
func free(tensors ...*tf.Tensor) {
	for _, t := range tensors {
		if t == nil {
			continue
		}
		tensorBytes.Add(-int64(byteSize(t)))
		runtime.SetFinalizer(t, nil)
		deleteTensor(t)
	}
}

// freeGraph gives a graph back. A session that runs it keeps what it needs.
func freeGraph(g *tf.Graph) {
	runtime.SetFinalizer(g, nil)
	deleteGraph(g)
}
