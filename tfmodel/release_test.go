package tfmodel_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// Nothing that a run is fed with or brings outlives it, whether it succeeds, fails or is not begun, with many at once.
func TestTensorsAreFreed(t *testing.T) {
	before := tfmodel.TensorBytes()
	if before != 0 {
		t.Fatalf("%d bytes are left by others", before)
	}
	gap, free := open(t, zoo.Folder(t, "gap_like")), open(t, zoo.Folder(t, "free_size"))
	if left := tfmodel.TensorBytes(); left != 0 {
		t.Errorf("%d bytes are left of loading", left)
	}
	images := zoo.Load(t, "gap_like").Images.Slice(0, 2)
	tiny := explaind.NewTensor(1, 2, 2, 3)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	explain := func(ctx context.Context, needs explaind.Needs, targets []explaind.Target) (*explaind.ExplainResult, error) {
		return gap.Explain(ctx, &explaind.ExplainRequest{Images: images, Layers: []string{gap.Spec().DefaultLayer}, Needs: needs,
			Targets: [][]explaind.Target{targets, targets}})
	}
	one := []explaind.Target{{Rank: 1, Versus: -1}}
	work := map[string]func() error{
		"predict":     func() error { _, err := gap.Predict(t.Context(), images); return err },
		"raw outputs": func() error { _, err := gap.PredictOutputs(t.Context(), images); return err },
		"explain":     func() error { _, err := explain(t.Context(), explaind.NeedsGradients, one); return err },
		"many targets": func() error {
			_, err := explain(t.Context(), explaind.NeedsGradients|explaind.NeedsInputGradients, manyTargets(3))
			return err
		},
		"kernel": func() error {
			_, err := explain(t.Context(), explaind.NeedsClassWeights, one)
			return err
		},
		"fails: too small": func() error { _, err := free.Predict(t.Context(), tiny); return err },
		"fails: canceled":  func() error { _, err := explain(ended, explaind.NeedsGradients, one); return err },
		"from a layer": func() error {
			result, err := explain(t.Context(), explaind.NeedsCrossing, one)
			if err != nil {
				return err
			}
			a := result.Evidence[0].Activations
			_, err = gap.PredictFrom(t.Context(), &result.Evidence[0], &explaind.Tensor{Shape: append([]int{1}, a.Shape...), Data: a.Data})
			return err
		},
	}
	var wait sync.WaitGroup
	for what, do := range work {
		for range 3 {
			wait.Go(func() {
				for range 10 {
					if err := do(); (err != nil) != (what[:4] == "fail") {
						t.Errorf("%s: %v", what, err)
					}
				}
			})
		}
	}
	wait.Wait()
	if left := tfmodel.TensorBytes(); left != 0 {
		t.Errorf("%d bytes are left", left)
	}
}

// events keeps what was observed.
type events struct {
	sync.Mutex
	list []explaind.Event
}

func (e *events) Answers(explaind.ModelRef) {}

func (e *events) Observe(event explaind.Event) {
	e.Lock()
	defer e.Unlock()
	e.list = append(e.list, event)
}

// rows are those of the runs of a phase.
func (e *events) rows(phase explaind.Phase) (rows []int) {
	for _, event := range e.list {
		if event.Phase == phase {
			rows = append(rows, event.Rows)
		}
	}
	return rows
}

func TestRunsAreObserved(t *testing.T) {
	m, images := open(t, zoo.Folder(t, "gap_like")), zoo.Load(t, "gap_like").Images.Slice(0, 2)
	observed := func(do func(ctx context.Context) error) *events {
		e := new(events)
		must(t, do(explaind.WithObserver(t.Context(), e)))
		return e
	}
	check := func(what string, e *events, forward, backward []int) {
		t.Helper()
		if got := e.rows(explaind.PhaseForward); !slices.Equal(got, forward) {
			t.Errorf("%s: forward passes of %v rows, want %v", what, got, forward)
		}
		if got := e.rows(explaind.PhaseBackward); !slices.Equal(got, backward) {
			t.Errorf("%s: backward passes of %v rows, want %v", what, got, backward)
		}
	}
	explain := func(needs explaind.Needs, targets []explaind.Target) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := m.Explain(ctx, &explaind.ExplainRequest{Images: images, Layers: []string{m.Spec().DefaultLayer}, Needs: needs, Targets: [][]explaind.Target{targets, targets}})
			return err
		}
	}
	one := []explaind.Target{{Rank: 1, Versus: -1}}
	check("predict", observed(func(ctx context.Context) error { _, err := m.Predict(ctx, images); return err }), []int{2}, nil)
	check("explain", observed(explain(explaind.NeedsGradients, one)), nil, []int{2})
	check("explain without gradients", observed(explain(0, one)), []int{2}, nil)
	check("explain six classes of each", observed(explain(explaind.NeedsGradients, manyTargets(6)[:6])), []int{2}, []int{8, 4})
}

// Large images run in parts: a batch of them would take all memory.
func TestLargeImagesRunInParts(t *testing.T) {
	m := open(t, zoo.Folder(t, "free_size"))
	const side = 1024 // 3 Mi numbers, two of which fill a run
	images := explaind.NewTensor(5, side, side, 3)
	for i := range images.Data {
		images.Data[i] = float32(i%251) / 251 * float32(1+i/(side*side*3))
	}
	e := new(events)
	got, err := m.Predict(explaind.WithObserver(t.Context(), e), images)
	must(t, err)
	if rows := e.rows(explaind.PhaseForward); !slices.Equal(rows, []int{2, 2, 1}) {
		t.Errorf("runs of %v rows", rows)
	}
	for i := range 5 {
		alone, err := m.Predict(t.Context(), images.Slice(i, i+1))
		must(t, err)
		if worst := mostDifference(got.Probabilities.Slice(i, i+1), alone.Probabilities); worst > mostProbabilityError {
			t.Errorf("row %d is off by %g", i, worst)
		}
	}
}
