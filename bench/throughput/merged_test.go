package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// tolerance is what rows that ran together may differ from rows that ran alone, over the range of the values: TensorFlow's
// kernels add in another order for another number of rows.
const tolerance = 1e-5

// held is a model whose first run waits until it is let go, so that others gather behind it.
type held struct {
	*tfmodel.Model
	once  sync.Once
	letGo chan struct{}
}

func (m *held) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	m.once.Do(func() { <-m.letGo })
	return m.Model.Predict(ctx, images)
}

// question asks a model about images.
type question func(m explaind.Model, images *explaind.Tensor) (*explaind.ExplainResult, error)

func questions(spec *explaind.Spec) map[string]question {
	all := map[string]question{
		"predict": func(m explaind.Model, images *explaind.Tensor) (*explaind.ExplainResult, error) {
			p, err := m.Predict(context.Background(), images)
			return &explaind.ExplainResult{Prediction: p}, err
		},
		"outputs": func(m explaind.Model, images *explaind.Tensor) (*explaind.ExplainResult, error) {
			p, err := m.(interface {
				PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error)
			}).PredictOutputs(context.Background(), images)
			return &explaind.ExplainResult{Prediction: p}, err
		},
	}
	explain := func(needs explaind.Needs, score explaind.Score, targets ...explaind.Target) question {
		return func(m explaind.Model, images *explaind.Tensor) (*explaind.ExplainResult, error) {
			r := &explaind.ExplainRequest{Images: images, Layers: []string{spec.DefaultLayer}, Score: score, Needs: needs}
			for range images.Rows() {
				r.Targets = append(r.Targets, targets)
			}
			return m.Explain(context.Background(), r)
		}
	}
	best, second := explaind.Target{Rank: 1, Versus: -1}, explaind.Target{Rank: min(2, spec.Head.Classes), Versus: -1}
	layer, err := spec.FindLayer("")
	if err == nil && layer.Gradients {
		all["gradients"] = explain(explaind.NeedsGradients, explaind.ScoreLogit, best)
		all["gradients of two classes"] = explain(explaind.NeedsGradients, explaind.ScoreProbability, best, second)
	}
	if err == nil && layer.Resumable {
		all["crossing"] = explain(explaind.NeedsCrossing, explaind.ScoreLogit, best)
	}
	if err == nil && spec.Input.Gradients {
		all["input gradients"] = explain(explaind.NeedsInputGradients, explaind.ScoreLogit, best)
	}
	return all
}

// Rows that share a run of a real model are those that run alone.
func TestMergedRowsAreThoseOfSingleRuns(t *testing.T) {
	for _, name := range []string{"vgg_like", "gap_like", "two_outputs", "nested", "uint8_input", "fixed_batch", "free_size", "tf1", "sigmoid", "mobilenetv2", "efficientnetb0"} {
		t.Run(name, func(t *testing.T) {
			m, err := tfmodel.Open(t.Context(), zoo.Folder(t, name))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			images := zoo.Load(t, name).Images
			for what, ask := range questions(m.Spec()) {
				merged, together := mergedAnswers(t, m, ask, images)
				if together < 2 {
					t.Errorf("%s: no rows of several requests shared a run", what)
				}
				for row := range images.Rows() {
					alone, err := ask(m, images.Slice(row, row+1))
					if err != nil {
						t.Fatal(err)
					}
					if err := near(merged[row], alone); err != nil {
						t.Errorf("%s, row %d: %v", what, row, err)
					}
				}
			}
		})
	}
}

// mergedAnswers are those to one request for each row, which wait for each other, and how many of them shared a run at most.
func mergedAnswers(t *testing.T, m *tfmodel.Model, ask question, images *explaind.Tensor) (answers []*explaind.ExplainResult, together int) {
	t.Helper()
	holding := &held{Model: m, letGo: make(chan struct{})}
	var lock sync.Mutex
	shared := batch.New(holding, batch.Options{MaxRuns: 1, Ran: func(_, requests int) {
		lock.Lock()
		defer lock.Unlock()
		together = max(together, requests)
	}})
	answers = make([]*explaind.ExplainResult, images.Rows())
	var all sync.WaitGroup
	send := func(ask question, image *explaind.Tensor, to **explaind.ExplainResult) {
		all.Go(func() {
			var err error
			if *to, err = ask(shared, image); err != nil {
				t.Error(err)
			}
		})
	}
	var first *explaind.ExplainResult
	send(questions(m.Spec())["predict"], images.Slice(0, 1), &first)
	waiting := func(n, runs int) {
		for end := time.Now().Add(time.Minute); shared.Stats().WaitingRequests != n || shared.Stats().Runs != runs; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %d requests wait", n)
			}
		}
	}
	waiting(0, 1)
	for row := range answers {
		send(ask, images.Slice(row, row+1), &answers[row])
		waiting(row+1, 1)
	}
	close(holding.letGo)
	all.Wait()
	return answers, together
}

// near compares all tensors and numbers of two answers.
func near(got, want *explaind.ExplainResult) error {
	if len(got.Evidence) != len(want.Evidence) || len(got.Prediction.Outputs) != len(want.Prediction.Outputs) {
		return fmt.Errorf("%d pieces of evidence, %d outputs; want %d, %d", len(got.Evidence), len(got.Prediction.Outputs), len(want.Evidence), len(want.Prediction.Outputs))
	}
	pairs := map[string][2]*explaind.Tensor{
		"logits":        {got.Prediction.Logits, want.Prediction.Logits},
		"probabilities": {got.Prediction.Probabilities, want.Prediction.Probabilities},
	}
	for i, out := range want.Prediction.Outputs {
		pairs["output "+out.Name] = [2]*explaind.Tensor{got.Prediction.Outputs[i].Tensor, out.Tensor}
	}
	for i := range want.Evidence {
		g, w := &got.Evidence[i], &want.Evidence[i]
		if g.Row != w.Row || g.Layer != w.Layer || g.Class != w.Class || g.Versus != w.Versus || len(g.Crossing) != len(w.Crossing) {
			return fmt.Errorf("evidence %d is of row %d, layer %q, class %d, versus %d; want %d, %q, %d, %d", i, g.Row, g.Layer, g.Class, g.Versus, w.Row, w.Layer, w.Class, w.Versus)
		}
		for name, pair := range map[string][2]*explaind.Tensor{
			"input": {g.Input, w.Input}, "activations": {g.Activations, w.Activations}, "gradients": {g.Gradients, w.Gradients}, "input gradients": {g.InputGradients, w.InputGradients},
			"scores": {scores(g), scores(w)},
		} {
			pairs[fmt.Sprintf("%s of evidence %d", name, i)] = pair
		}
		for c := range w.Crossing {
			pairs[fmt.Sprintf("crossing %d of evidence %d", c, i)] = [2]*explaind.Tensor{g.Crossing[c], w.Crossing[c]}
		}
	}
	for name, pair := range pairs {
		if err := nearTensor(pair[0], pair[1]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func scores(e *explaind.Evidence) *explaind.Tensor {
	return &explaind.Tensor{Shape: []int{3}, Data: []float32{e.Logit, e.Probability, e.Score}}
}

func nearTensor(got, want *explaind.Tensor) error {
	if got == nil || want == nil {
		if got != want {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	}
	if !slices.Equal(got.Shape, want.Shape) || len(got.Data) != len(want.Data) {
		return fmt.Errorf("shape %v, want %v", got.Shape, want.Shape)
	}
	largest, most := 0.0, 0.0
	for i, w := range want.Data {
		largest = max(largest, math.Abs(float64(w)))
		most = max(most, math.Abs(float64(got.Data[i])-float64(w)))
	}
	if most > tolerance*largest {
		return fmt.Errorf("differs by %.2g of its largest value", most/largest)
	}
	return nil
}
