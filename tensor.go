package explaind

import "fmt"

// Tensor is a dense array of float32 values in row-major order.
// A Tensor is not safe for concurrent writes; nobody writes to one after it was handed on.
type Tensor struct {
	Shape []int
	Data  []float32
}

// NewTensor returns a tensor of zeros.
func NewTensor(shape ...int) *Tensor {
	return &Tensor{Shape: shape, Data: make([]float32, Elements(shape))}
}

// Elements is the number of elements of a shape; 1 for a scalar.
func Elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Rows is the size of the leading dimension, 1 for a scalar.
func (t *Tensor) Rows() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[0]
}

// Row returns row i without its leading dimension. The data is shared.
func (t *Tensor) Row(i int) *Tensor {
	n := Elements(t.Shape[1:])
	return &Tensor{Shape: t.Shape[1:], Data: t.Data[i*n : (i+1)*n : (i+1)*n]}
}

// Slice returns rows [from, to). The data is shared.
func (t *Tensor) Slice(from, to int) *Tensor {
	n := Elements(t.Shape[1:])
	shape := append([]int{to - from}, t.Shape[1:]...)
	return &Tensor{Shape: shape, Data: t.Data[from*n : to*n : to*n]}
}

// Stack puts tensors of one shape below each other, adding a leading dimension.
func Stack(rows []*Tensor) (*Tensor, error) {
	if len(rows) == 0 {
		return nil, Errorf(InvalidArgument, "EMPTY_BATCH", "a batch needs at least one image")
	}
	shape := rows[0].Shape
	out := NewTensor(append([]int{len(rows)}, shape...)...)
	n := Elements(shape)
	for i, r := range rows {
		if !equalInts(r.Shape, shape) {
			return nil, Errorf(InvalidArgument, "SHAPE_MISMATCH",
				"rows of one batch must have one shape: row 0 is %v, row %d is %v", shape, i, r.Shape)
		}
		copy(out.Data[i*n:], r.Data)
	}
	return out, nil
}

// Gather returns the rows with the given indices, in that order.
func (t *Tensor) Gather(indices []int) *Tensor {
	n := Elements(t.Shape[1:])
	out := NewTensor(append([]int{len(indices)}, t.Shape[1:]...)...)
	for i, j := range indices {
		copy(out.Data[i*n:(i+1)*n], t.Data[j*n:(j+1)*n])
	}
	return out
}

func (t *Tensor) String() string { return fmt.Sprintf("float32%v", t.Shape) }

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
