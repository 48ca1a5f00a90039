package tfmodel

import (
	"bytes"
	"fmt"
	"math"
	"unsafe"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
)

// toTensor converts for a feed, which whoever calls it frees; dtype is the model's own.
func toTensor(t *explaind.Tensor, dtype tf.DataType) (*tf.Tensor, error) {
	switch dtype {
	case tf.Float:
		return newTensor(t.Shape, tf.Float, asBytes(t.Data))
	case tf.Uint8:
		pixels := make([]uint8, len(t.Data))
		for i, v := range t.Data {
			pixels[i] = uint8(math.Round(float64(min(max(v, 0), 255))))
		}
		return newTensor(t.Shape, tf.Uint8, pixels)
	default:
		return nil, fmt.Errorf("images of type %v cannot be fed", dtype)
	}
}

func newTensor(shape []int, dtype tf.DataType, data []byte) (*tf.Tensor, error) {
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	t, err := tf.ReadTensor(dtype, dims, bytes.NewReader(data))
	if err == nil {
		count(t)
	}
	return t, err
}

// fromTensor copies a fetched tensor of float32.
func fromTensor(t *tf.Tensor) (*explaind.Tensor, error) {
	if t.DataType() != tf.Float {
		return nil, fmt.Errorf("fetched a tensor of type %v, expected float32", t.DataType())
	}
	shape := make([]int, len(t.Shape()))
	for i, d := range t.Shape() {
		shape[i] = int(d)
	}
	out := explaind.NewTensor(shape...)
	_, err := t.WriteContentsTo(&fill{asBytes(out.Data)})
	return out, err
}

// fill writes into memory that is there already.
type fill struct{ rest []byte }

func (f *fill) Write(p []byte) (int, error) {
	n := copy(f.rest, p)
	f.rest = f.rest[n:]
	if n < len(p) {
		return n, fmt.Errorf("%d bytes more than the shape tells", len(p)-n)
	}
	return n, nil
}

// asBytes is the memory of the values, little-endian as on every machine that TensorFlow runs on.
func asBytes(values []float32) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values))
}
