package tfmodel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
)

// TensorFlow itself runs this model on 3×3 pixels and more. Of a side of 2, the first convolution leaves 1, which the pooling of
// 2×2 cannot take.
func TestFreeSizeRefusesSmallImages(t *testing.T) {
	m := open(t, zoo.Folder(t, "free_size"))
	ask := map[string]func(images *explaind.Tensor) error{
		"predict": func(images *explaind.Tensor) error {
			_, err := m.Predict(t.Context(), images)
			return err
		},
		"raw outputs": func(images *explaind.Tensor) error {
			_, err := m.PredictOutputs(t.Context(), images)
			return err
		},
	}
	for what, r := range map[string]explaind.ExplainRequest{
		"explain":              {Layers: []string{m.Spec().DefaultLayer}, Needs: explaind.NeedsGradients},
		"explain without them": {Layers: []string{m.Spec().DefaultLayer}},
		"explain the input":    {Needs: explaind.NeedsInputGradients},
	} {
		for n := 1; n <= 2; n++ { // in one run or in two
			asked := r
			asked.Targets = [][]explaind.Target{slices.Repeat([]explaind.Target{{Rank: 1, Versus: -1}}, n)}
			ask[what+strings.Repeat(" twice", n-1)] = func(images *explaind.Tensor) error {
				asked.Images = images
				_, err := m.Explain(t.Context(), &asked)
				return err
			}
		}
	}
	for what, with := range ask {
		for _, size := range [][2]int{{1, 1}, {1, 40}, {40, 1}, {2, 2}, {2, 3}} {
			err := with(explaind.NewTensor(1, size[0], size[1], 3))
			e := explaind.AsError(err)
			if err == nil || e.Code != explaind.InvalidArgument || e.Reason != "INPUT_SIZE_REFUSED" || !strings.Contains(e.Message, fmt.Sprintf("%d×%d pixels", size[1], size[0])) {
				t.Errorf("%s with %v: %v", what, size, err)
			}
		}
		for _, size := range [][2]int{{3, 3}, {3, 5}, {4, 4}, {12, 7}} {
			if err := with(explaind.NewTensor(1, size[0], size[1], 3)); err != nil {
				t.Errorf("%s with %v: %v", what, size, err)
			}
		}
	}
}

// The strides are those of the convolutions: the first has one of 2, and so has the pooling before the third.
func TestStrides(t *testing.T) {
	m, reference := open(t, zoo.Folder(t, "free_size")), zoo.Load(t, "free_size")
	height, seen := reference.Images.Shape[1], map[string]int{}
	for _, c := range reference.Cases {
		layer, err := m.Spec().FindLayer(c.Layer)
		must(t, err)
		grad := c.Maps[string(explaind.MethodGradCAM)] // of TensorFlow, at the layer's resolution
		if want := height / grad.Shape[1]; layer.Stride != want || layer.Height != 0 {
			t.Errorf("layer %s has the stride %d, want %d", c.Layer, layer.Stride, want)
		}
		seen[c.Layer] = layer.Stride
	}
	if seen["conv1"] != 2 || seen["conv4"] != 4 {
		t.Errorf("strides are %v", seen)
	}
	for _, l := range m.Spec().Layers {
		if l.Stride < 1 || l.Stride > 4 {
			t.Errorf("layer %s has the stride %d", l.Name, l.Stride)
		}
	}
	for _, l := range open(t, zoo.Folder(t, "gap_like")).Spec().Layers {
		if l.Stride != 0 || l.Height == 0 {
			t.Errorf("layer %s of a model of one size has the stride %d", l.Name, l.Stride)
		}
	}
}
