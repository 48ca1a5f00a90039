package tfmodel_test

import (
	"context"
	"math"
	"testing"

	"github.com/explaind/explaind"
)

// testSlope compares ∂S/∂x with what the logits do when the image moves a little along it and back, which needs no other
// implementation: ⟨g, v⟩ = (S(x + εv) − S(x − εv)) / 2ε.
func (s *subject) testSlope(t *testing.T) {
	in := s.model.Spec().Input
	if !in.Gradients {
		t.Fatalf("there is no gradient at the input: %s", in.Reason)
	}
	c := &s.reference.Cases[0]
	evidence := s.explain(t, nil, s.targetsOf(c), explaind.ScoreLogit, explaind.NeedsInputGradients)
	if in.DType == "uint8" {
		return // its values cannot move a little
	}
	for row, e := range evidence {
		x, g := e.Input, e.InputGradients
		length, extentOfX := norm(g.Data), extent(x.Data)
		if length == 0 {
			t.Fatalf("row %d: the gradient is zero", row)
		}
		// as small as the logits' rounding allows, so that few rectifiers switch on the way
		const digits = 3e-3
		step := digits * math.Max(math.Abs(float64(e.Logit)), 1) / length
		moved := func(by float64) float64 {
			y := explaind.NewTensor(append([]int{1}, x.Shape...)...)
			for i, v := range x.Data {
				y.Data[i] = v + float32(by*float64(g.Data[i])/length)
			}
			p, err := s.model.Predict(context.Background(), y)
			if err != nil {
				t.Fatal(err)
			}
			return float64(p.Logits.Data[e.Class])
		}
		slope := (moved(step) - moved(-step)) / (2 * step)
		if math.Abs(slope-length) > 0.02*length {
			t.Errorf("row %d: the logit rises by %.5g along its gradient of length %.5g (step %.2g, values span %.2g)", row, slope, length, step, extentOfX)
		}
	}
}

// testInputTargets wants the gradients of several classes at once, the guided ones too, to be those of each alone.
func (s *subject) testInputTargets(t *testing.T) {
	in := s.model.Spec().Input
	needs := explaind.NeedsInputGradients
	if in.Guided {
		needs |= explaind.NeedsGuidedGradients
	}
	c := &s.reference.Cases[0]
	classes := s.reference.Logits.Shape[1]
	both := s.targetsOf(c)
	other := make([][]explaind.Target, len(both))
	for row := range both {
		t := explaind.Target{Class: (c.Classes[row] + 1) % classes, Versus: -1}
		both[row] = append(both[row], t)
		other[row] = []explaind.Target{t}
	}
	together := s.explain(t, nil, both, explaind.ScoreLogit, needs)
	alone := [][]explaind.Evidence{
		s.explain(t, nil, s.targetsOf(c), explaind.ScoreLogit, needs), s.explain(t, nil, other, explaind.ScoreLogit, needs),
	}
	for i := range together {
		want, got := alone[i%2][i/2], together[i]
		pairs := [][2]*explaind.Tensor{{got.InputGradients, want.InputGradients}}
		if in.Guided {
			pairs = append(pairs, [2]*explaind.Tensor{got.GuidedGradients, want.GuidedGradients})
		}
		for kind, p := range pairs {
			if worst := mostDifference(p[0], p[1]); worst > mostMapError*extent(p[1].Data) {
				t.Errorf("row %d, class %d, kind %d: off by %.2g of %.2g", got.Row, got.Class, kind, worst, extent(p[1].Data))
			}
		}
	}
}

// mostResumed is how many layers of a model are run on from: each costs the first run of two new sets of fetches.
const mostResumed = 10

// testResume runs layers from first to last on from their own activations, and wants the model's own logits.
func (s *subject) testResume(t *testing.T) {
	spec, images := s.model.Spec(), s.reference.Images.Slice(0, 1)
	resumed := 0
	for i := 0; i < len(spec.Layers); i += max(1, len(spec.Layers)/mostResumed) {
		layer := &spec.Layers[i]
		if !layer.Resumable {
			continue
		}
		resumed++
		r, err := s.model.Explain(context.Background(), &explaind.ExplainRequest{
			Images: images, Layers: []string{layer.Name}, Targets: [][]explaind.Target{{{Rank: 1, Versus: -1}}}, Needs: explaind.NeedsCrossing,
		})
		if err != nil {
			t.Fatalf("layer %s: %v", layer.Name, err)
		}
		e := &r.Evidence[0]
		rows, err := explaind.Stack([]*explaind.Tensor{e.Activations, explaind.NewTensor(e.Activations.Shape...)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.model.PredictFrom(context.Background(), e, rows)
		if err != nil {
			t.Fatalf("layer %s: %v", layer.Name, err)
		}
		if worst := mostDifference(p.Logits.Slice(0, 1), r.Prediction.Logits); worst > mostMapError*extent(r.Prediction.Logits.Data) {
			t.Errorf("layer %s: the logits are off by %.2g", layer.Name, worst)
		}
		if mostDifference(p.Logits.Slice(1, 2), r.Prediction.Logits) == 0 {
			t.Errorf("layer %s: zeros in its place change nothing", layer.Name)
		}
	}
	if resumed == 0 && spec.Input.Batch == 0 {
		t.Error("no layer can be run on from")
	}
}

func norm(values []float32) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
