package fakemodel

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

// ramp is one image [1, size, size, 3] whose values all differ.
func ramp(size int) *explaind.Tensor {
	x := explaind.NewTensor(1, size, size, 3)
	for i := range x.Data {
		x.Data[i] = float32(i%7) / 10 * float32(1+i%3)
	}
	return x
}

func explained(t *testing.T, m *Model, x *explaind.Tensor, score explaind.Score, target explaind.Target) explaind.Evidence {
	t.Helper()
	r, err := m.Explain(t.Context(), &explaind.ExplainRequest{
		Images: x, Layers: []string{"block/features"}, Targets: [][]explaind.Target{{target}}, Score: score,
		Needs: explaind.NeedsGradients | explaind.NeedsClassWeights | explaind.NeedsInputGradients | explaind.NeedsHead | explaind.NeedsCrossing,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Evidence[0]
}

// A red picture has the mean (1, 0, 0), so its logits are the weights of channel 0.
func TestRedPicture(t *testing.T) {
	m := New(4, "red", "green", "blue")
	x := explaind.NewTensor(1, 4, 4, 3)
	for i := 0; i < len(x.Data); i += 3 {
		x.Data[i] = 1
	}
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logits := []float64{6, 8/math.E - 2, 8*math.Exp(-4) - 2}
	sum := math.Exp(logits[0]) + math.Exp(logits[1]) + math.Exp(logits[2])
	for c, want := range logits {
		near(t, "logit", p.Logits.Data[c], want)
		near(t, "probability", p.Probabilities.Data[c], math.Exp(want)/sum)
	}
}

// The gradients agree with differences of the forward pass. Moving a whole 2×2 square by h moves A at its place by h; so
// does moving A itself, in the part of the model behind it.
func TestGradientsAreDifferences(t *testing.T) {
	const h = 1.0 / 64
	m := New(6, "a", "b", "c", "d")
	for _, target := range []explaind.Target{{Class: 0, Versus: -1}, {Class: 3, Versus: -1}, {Class: 1, Versus: 2}} {
		for _, score := range []explaind.Score{explaind.ScoreLogit, explaind.ScoreProbability} {
			value := func(p *explaind.Prediction, err error) float64 {
				if err != nil {
					t.Fatal(err)
				}
				of := p.Logits
				if score == explaind.ScoreProbability {
					of = p.Probabilities
				}
				v := float64(of.Data[target.Class])
				if target.Versus >= 0 {
					v -= float64(of.Data[target.Versus])
				}
				return v
			}
			e := explained(t, m, ramp(6), score, target)
			near(t, "score", e.Score, value(m.Predict(t.Context(), ramp(6))))
			slope := func(moved func(by float32) float64) float64 { return (moved(h) - moved(-h)) / (2 * h) }
			for i, g := range e.Gradients.Data {
				row, column, channel := i/9, i/3%3, i%3
				square := slope(func(by float32) float64 {
					x := ramp(6)
					for _, d := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
						x.Data[((2*row+d[0])*6+2*column+d[1])*3+channel] += by
					}
					return value(m.Predict(t.Context(), x))
				})
				behind := slope(func(by float32) float64 {
					a := explaind.NewTensor(1, 3, 3, 3)
					copy(a.Data, e.Activations.Data)
					a.Data[i] += by
					return value(m.PredictFrom(t.Context(), &e, a))
				})
				if math.Abs(float64(g)-square) > 1e-4 || math.Abs(float64(g)-behind) > 1e-4 {
					t.Fatalf("target %+v, score %d: gradient %d is %v, differences say %v and %v", target, score, i, g, square, behind)
				}
			}
			for i, g := range e.InputGradients.Data {
				want := slope(func(by float32) float64 {
					x := ramp(6)
					x.Data[i] += by
					return value(m.Predict(t.Context(), x))
				})
				if math.Abs(float64(g)-want) > 1e-4 {
					t.Fatalf("target %+v, score %d: input gradient %d is %v, differences say %v", target, score, i, g, want)
				}
			}
		}
	}
}

// The head as a kernel gives the logits and the probabilities: K^T·mean(A), and its softmax.
func TestHead(t *testing.T) {
	m := New(6, "a", "b", "c", "d")
	e := explained(t, m, ramp(6), explaind.ScoreLogit, explaind.Target{Class: 2, Versus: -1})
	p, err := m.Predict(t.Context(), ramp(6))
	if err != nil {
		t.Fatal(err)
	}
	for c := range 4 {
		var logit float64
		for i, a := range e.Activations.Data {
			logit += float64(a) / 9 * float64(e.HeadKernel.Data[i%3*4+c])
		}
		near(t, "logit", p.Logits.Data[c], logit)
		near(t, "probability", e.Probabilities[c], float64(p.Probabilities.Data[c]))
	}
}

// Activations are rows of their own, and need not be an image's; without a layer there is the input alone.
func TestRowsAndLayers(t *testing.T) {
	m := New(4, "a", "b", "c")
	rows := explaind.NewTensor(3, 2, 2, 3)
	for i := range rows.Data {
		rows.Data[i] = float32(i) / 8
	}
	p, err := m.PredictFrom(t.Context(), nil, rows)
	if err != nil {
		t.Fatal(err)
	}
	for row := range 3 {
		alone, err := m.PredictFrom(t.Context(), nil, rows.Slice(row, row+1))
		if err != nil || !slices.Equal(alone.Logits.Data, p.Logits.Row(row).Data) {
			t.Errorf("row %d alone is %v, %v", row, alone, err)
		}
	}
	r, err := m.Explain(t.Context(), &explaind.ExplainRequest{Images: ramp(4), Targets: [][]explaind.Target{{{Rank: 1, Versus: -1}}}, Needs: explaind.NeedsInputGradients})
	if err != nil || len(r.Evidence) != 1 || r.Evidence[0].Layer != "" || r.Evidence[0].Activations != nil || r.Evidence[0].InputGradients == nil || m.Runs() != 5 {
		t.Errorf("without a layer: %+v, %v", r, err)
	}
}

// CAM's premise: the mean over the map Σ_k w_k A^k is the logit.
func TestClassWeights(t *testing.T) {
	m := New(6, "a", "b")
	e := explained(t, m, ramp(6), explaind.ScoreProbability, explaind.Target{Class: 1, Versus: -1})
	var sum float64
	for i, a := range e.Activations.Data {
		sum += float64(a) * float64(e.ClassWeights[i%3])
	}
	near(t, "mean of the map", float32(sum/9), float64(e.Logit))
}

func TestRanks(t *testing.T) {
	m := New(4, "a", "b", "c")
	x := ramp(4)
	p, err := m.Predict(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	last := float32(2)
	for rank := 1; rank <= 3; rank++ {
		e := explained(t, m, x, explaind.ScoreLogit, explaind.Target{Rank: rank, Versus: -1})
		if e.Probability > last || e.Probability != p.Probabilities.Data[e.Class] {
			t.Errorf("rank %d is class %d with %v after %v", rank, e.Class, e.Probability, last)
		}
		last = e.Probability
	}
}

// What wraps a model relies on these to notice its own mistakes.
func TestCountsAndCloses(t *testing.T) {
	m := New(4, "a")
	m.BeforeRun = func(context.Context) error { panic("before") }
	func() {
		defer func() { recover() }()
		m.Predict(t.Context(), ramp(4))
	}()
	m.BeforeRun = func(context.Context) error {
		if m.Close() == nil {
			t.Error("closed in use without an error")
		}
		return nil
	}
	if _, err := m.Predict(t.Context(), ramp(4)); err != nil {
		t.Error(err)
	}
	if m.Runs() != 2 || m.Peak() != 1 || !m.Closed() {
		t.Errorf("runs %d, peak %d, closed %v", m.Runs(), m.Peak(), m.Closed())
	}
	if _, err := m.Predict(t.Context(), ramp(4)); explaind.AsError(err).Reason != "USED_AFTER_CLOSE" {
		t.Errorf("used after close: %v", err)
	}
	quiet := New(4, "a")
	if err := quiet.Close(); err != nil {
		t.Error(err)
	}
	if quiet.Close() == nil {
		t.Error("closed twice without an error")
	}
}

func near(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 1e-5*max(1, math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
