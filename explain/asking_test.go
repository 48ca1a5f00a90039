package explain

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

// sums is a model whose logits are linear in the numbers it is given, an image's or a layer's: c is Σ_i w_c[i]·x[i] + b_c.
// Its numbers can be worked out by hand.
type sums struct {
	explaind.Model // what is not asked for here

	weights [][]float32 // [class][number]
	biases  []float32
}

func (s sums) Predict(_ context.Context, x *explaind.Tensor) (*explaind.Prediction, error) {
	p := &explaind.Prediction{Logits: explaind.NewTensor(x.Rows(), len(s.weights))}
	for row := range x.Rows() {
		for c, w := range s.weights {
			at := &p.Logits.Row(row).Data[c]
			*at = s.biases[c]
			for i, v := range x.Row(row).Data {
				*at += w[i] * v
			}
		}
	}
	return p, nil
}

func (s sums) PredictFrom(ctx context.Context, _ *explaind.Evidence, activations *explaind.Tensor) (*explaind.Prediction, error) {
	return s.Predict(ctx, activations)
}

// about asks such a model, which is given the layer, or without one the image, for targets (class, versus).
func (s sums) about(t *testing.T, image, layer *explaind.Tensor, targets ...[2]int) *Question {
	t.Helper()
	x := image
	if layer != nil {
		x = layer
	}
	p, err := s.Predict(t.Context(), &explaind.Tensor{Shape: append([]int{1}, x.Shape...), Data: x.Data})
	if err != nil {
		t.Fatal(err)
	}
	q := &Question{
		Model: s, Options: &explaind.MethodOptions{}, Rows: 3,
		Step:     func(context.Context, int, int) error { return nil },
		Baseline: func(explaind.Baseline) (*explaind.Tensor, error) { return explaind.NewTensor(x.Shape...), nil },
	}
	for _, target := range targets {
		e := &explaind.Evidence{Class: target[0], Versus: target[1], Input: image, Activations: layer}
		e.Score = float32(scoreOf(p, 0, e, q.Score))
		q.Evidence = append(q.Evidence, e)
	}
	return q
}

// strip is an image, or a layer, of one row.
func strip(channels int, values ...float32) *explaind.Tensor {
	return &explaind.Tensor{Shape: []int{1, len(values) / channels, channels}, Data: values}
}

func checkValues(t *testing.T, what string, h *explaind.Heatmap, want ...float64) {
	t.Helper()
	if h == nil || len(h.Values) != len(want) {
		t.Errorf("%s: the map is %v, want %v", what, h, want)
		return
	}
	for i, v := range h.Values {
		if !(math.Abs(float64(v)-want[i]) <= 1e-6) { // nor NaN
			t.Errorf("%s: the map is %v, want %v", what, h.Values, want)
			return
		}
	}
}

// Of a sum, a square takes w·x of what it covers. The weights of class 1 are those of class 0, negative.
func TestOcclusionByHand(t *testing.T) {
	m := sums{weights: [][]float32{{1, 1, 1, 1, 1, 1, 1}, {-1, -1, -1, -1, -1, -1, -1}}, biases: []float32{5, 0}}
	image := strip(1, 1, 2, 4, 8, 16, 32, 64)
	for _, c := range []struct {
		what          string
		patch, stride int
		want          []float64
	}{
		// squares at 0, 3 and 6; nobody covers the others
		{"gaps of two", 1, 3, []float64{1, 0, 0, 8, 0, 0, 64}},
		// at 0, 4 and, to reach the border, 5, which shares a pixel with the one before it
		{"a gap, then the border", 2, 4, []float64{3, 3, 0, 0, 48, 72, 96}},
		// one at 0 and one at the border
		{"a stride larger than the image", 2, 100, []float64{3, 3, 0, 0, 0, 96, 96}},
		{"a patch larger than the image", 100, 1, []float64{127, 127, 127, 127, 127, 127, 127}},
		{"no gap", 1, 1, []float64{1, 2, 4, 8, 16, 32, 64}},
	} {
		q := m.about(t, image, nil, [2]int{0, -1}, [2]int{1, -1}, [2]int{0, 1})
		q.Options.Occlusion = explaind.OcclusionOptions{Patch: c.patch, Stride: c.stride}
		answers, err := occlusion(t.Context(), q)
		if err != nil || len(answers) != 3 {
			t.Fatalf("%s: %v, %v", c.what, answers, err)
		}
		for target, factor := range []float64{1, -1, 2} { // S₀, S₁ and S₀ − S₁
			want := slices.Clone(c.want)
			for i := range want {
				want[i] *= factor
			}
			checkValues(t, c.what, answers[target].Heatmap, want...)
		}
	}
}

// w_k = (S − S_k) / |S|, where S − S_k is what channel k brings: here that of its weight and its sum, which are 1, 3 and 0.
func TestAblationCAMByHand(t *testing.T) {
	layer := strip(3, 1, 0, 0, 0, 3, 0) // two positions; the last channel is off
	m := sums{weights: [][]float32{{2, -4, 9, 2, -4, 9}, {-2, 4, 9, -2, 4, 9}, {3, -1, 9, 3, -1, 9}}, biases: []float32{0, 0, 0}}
	for _, c := range []struct {
		what   string
		target [2]int
		want   []float64
	}{
		{"positive logit", [2]int{1, -1}, []float64{0, 3.6}},       // S = −2 + 12, w = −0.2, 1.2
		{"negative logit", [2]int{0, -1}, []float64{0.2, 0}},       // S = 2 − 12, w = 0.2, −1.2; divided by S: 0, 3.6
		{"logit of 0", [2]int{2, -1}, []float64{3, 0}},             // S = 3 − 3, w = 3, −3, as nothing is divided
		{"positive difference", [2]int{2, 0}, []float64{0.1, 2.7}}, // S = 1 + 9, w = 0.1, 0.9
		{"negative difference", [2]int{2, 1}, []float64{0.5, 0}},   // S = 5 − 15, w = 0.5, −1.5
	} {
		answers, err := ablationCAM(t.Context(), m.about(t, strip(1, 0), layer, c.target))
		if err != nil || len(answers) != 1 {
			t.Fatalf("%s: %v, %v", c.what, answers, err)
		}
		checkValues(t, c.what, answers[0].Heatmap, c.want...)
	}
}

// The error of a pass, and that of the step before it, end a method.
func TestAskingEndsWithAnError(t *testing.T) {
	end := errors.New("the end")
	m := sums{weights: [][]float32{{1, 1, 1, 1}}, biases: []float32{0}}
	for _, ask := range []AskFunc{occlusion, ablationCAM} {
		q := m.about(t, strip(1, 1, 2, 3, 4), strip(1, 1, 2, 3, 4), [2]int{0, -1})
		steps := 0
		q.Step = func(context.Context, int, int) error { steps++; return end }
		if got, err := ask(t.Context(), q); !errors.Is(err, end) || got != nil || steps != 1 {
			t.Errorf("%v, %v after %d steps", got, err, steps)
		}
	}
}
