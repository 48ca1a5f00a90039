package service

import (
	"context"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/render"
)

// One pass holds at most so many images, and so many numbers of them. More images per pass gain next to nothing on a CPU,
// and a backward pass keeps the activations of all layers for each of them.
const (
	passRows    = 8
	passNumbers = 4 * mebi
)

// rows is how many images one pass holds.
func (a *asker) rows() int {
	return min(max(passNumbers/len(a.in.tensor.Data), 1), passRows)
}

// question is what a method gets that asks the model again.
func (a *asker) question(d explain.Definition, score explaind.Score, evidence []*explaind.Evidence) *explain.Question {
	height, width := a.in.size()
	return &explain.Question{
		Model: a.handle.Model, Evidence: evidence, Score: score, Options: &a.plan.options, Rows: a.rows(),
		Grow: func(h *explaind.Heatmap) *explaind.Heatmap { return render.Upsample(h, height, width, render.Bilinear) },
		Baseline: func(b explaind.Baseline) (*explaind.Tensor, error) {
			x, err := baseline(b, evidence[0].Input, a.handle.Model.Spec())
			return x, explaind.AtField(err, optionsField+string(d.Method)+".baseline") // the options are named like the methods
		},
		Step: func(ctx context.Context, done, total int) error {
			if a.report != nil {
				a.report(Progress{Method: d.Method, Done: done, Total: total})
			}
			return a.step(ctx)
		},
	}
}

// step is what happens between two passes: others may run, and who is no longer waited for stops.
func (a *asker) step(ctx context.Context) error {
	if err := a.place.pass(ctx); err != nil {
		return inPhase(err, "RUN")
	}
	return nil
}

// baseline is the image that shows nothing of x [H, W, C].
func baseline(b explaind.Baseline, x *explaind.Tensor, spec *explaind.Spec) (*explaind.Tensor, error) {
	channels := x.Shape[2]
	values := make([]float32, channels)
	switch b {
	case explaind.BaselineBlur:
		return imaging.Blur(x), nil
	case explaind.BaselineBlack:
		if channels != 1 && channels != 3 {
			return nil, explaind.FieldError("", "OPTION_UNSUPPORTED", "the model takes %d channels, which no pixel makes, so there is no black; choose another baseline", channels)
		}
		black, err := imaging.Black(spec.Preprocessing, channels)
		if err != nil {
			return nil, err
		}
		values = black
	case explaind.BaselineMean:
		sums := make([]float64, channels)
		for i, v := range x.Data {
			sums[i%channels] += float64(v)
		}
		for c := range values {
			values[c] = float32(sums[c] / float64(len(x.Data)/channels))
		}
	}
	out := explaind.NewTensor(x.Shape...)
	for i := range out.Data {
		out.Data[i] = values[i%channels]
	}
	return out, nil
}
