package native_test

import (
	"context"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
)

// deep is the fake model for pictures of 6×8 with what it lacks: a second layer, "block/early", which is the picture
// itself, so that its gradient is a quarter of that of the square it goes into; kernels K [2, 2, 3, 3] with
// K[x, y, c, k] = 1 + 8x + y + 2c − 3k; and gradients of guided backpropagation, which are made up.
type deep struct{ *fakemodel.Model }

const early = "block/early"

func newDeep() deep {
	m := fakemodel.New(8, "red", "green", "blue")
	s := m.Spec()
	s.Input.Height, s.Input.Guided = 6, true
	for i := range s.Layers {
		s.Layers[i].Height = 3
	}
	s.Layers[1].Kernel = true
	s.Layers = append(s.Layers, explaind.Layer{Name: early, Op: "Relu", Height: 6, Width: 8, Channels: 3, Gradients: true, Kernel: true, Resumable: true})
	return deep{m}
}

// madeUp is the guided gradient at a place of the picture.
func madeUp(y, x, channel, class int) float32 { return float32((3*y+5*x+7*channel+2*class)%11) - 6 }

func (m deep) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	result, err := m.Model.Explain(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range result.Evidence {
		e := &result.Evidence[i]
		shape := e.Input.Shape
		if e.Layer == early {
			e.Activations = e.Input
			if e.Gradients != nil {
				e.Gradients = fill(shape, func(y, x, k int) float32 { return e.Gradients.Data[(y/2*(shape[1]/2)+x/2)*3+k] / 4 })
			}
		}
		if r.Needs.Has(explaind.NeedsKernel) {
			e.Kernel = explaind.NewTensor(2, 2, 3, 3)
			for j := range e.Kernel.Data {
				x, y, c, k := j/18, j/9%2, j/3%3, j%3
				e.Kernel.Data[j] = float32(1 + 8*x + y + 2*c - 3*k)
			}
		}
		if r.Needs.Has(explaind.NeedsGuidedGradients) {
			e.GuidedGradients = fill(shape, func(y, x, k int) float32 { return madeUp(y, x, k, e.Class) })
		}
	}
	return result, nil
}

func (m deep) PredictFrom(ctx context.Context, e *explaind.Evidence, a *explaind.Tensor) (*explaind.Prediction, error) {
	if e.Layer == early {
		return m.Predict(ctx, a)
	}
	return m.Model.PredictFrom(ctx, e, a)
}

func fill(shape []int, of func(y, x, k int) float32) *explaind.Tensor {
	out := explaind.NewTensor(shape...)
	for i := range out.Data {
		out.Data[i] = of(i/(shape[1]*shape[2]), i/shape[2]%shape[1], i%shape[2])
	}
	return out
}
