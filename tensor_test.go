package explaind

import (
	"slices"
	"testing"
)

func counting(shape ...int) *Tensor {
	t := NewTensor(shape...)
	for i := range t.Data {
		t.Data[i] = float32(i)
	}
	return t
}

func TestTensorRows(t *testing.T) {
	x := counting(3, 2, 2)
	for name, c := range map[string]struct {
		got         *Tensor
		shape       []int
		first, last float32
	}{
		"row":    {x.Row(1), []int{2, 2}, 4, 7},
		"slice":  {x.Slice(1, 3), []int{2, 2, 2}, 4, 11},
		"gather": {x.Gather([]int{2, 0}), []int{2, 2, 2}, 8, 3},
	} {
		data := c.got.Data
		if !slices.Equal(c.got.Shape, c.shape) || data[0] != c.first || data[len(data)-1] != c.last {
			t.Errorf("%s: %v %v", name, c.got, data)
		}
	}
	if x.Rows() != 3 || NewTensor().Rows() != 1 || Elements(nil) != 1 {
		t.Error("rows are miscounted")
	}
}

// Appending to a row must not write into the next one.
func TestRowsDoNotReachFurther(t *testing.T) {
	x := counting(2, 2)
	_ = append(x.Row(0).Data, 99)
	_ = append(x.Slice(0, 1).Data, 99)
	if x.Data[2] != 2 {
		t.Errorf("the next row became %v", x.Data)
	}
}

func TestStack(t *testing.T) {
	got, err := Stack([]*Tensor{counting(2), {Shape: []int{2}, Data: []float32{5, 6}}})
	if err != nil || !slices.Equal(got.Shape, []int{2, 2}) || !slices.Equal(got.Data, []float32{0, 1, 5, 6}) {
		t.Errorf("got %v, %v", got, err)
	}
	for name, c := range map[string]struct {
		rows   []*Tensor
		reason string
	}{
		"nothing":      {nil, "EMPTY_BATCH"},
		"other shapes": {[]*Tensor{counting(2), counting(3)}, "SHAPE_MISMATCH"},
		"other ranks":  {[]*Tensor{counting(2), counting(1, 2)}, "SHAPE_MISMATCH"},
	} {
		if _, err := Stack(c.rows); err == nil || AsError(err).Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}
