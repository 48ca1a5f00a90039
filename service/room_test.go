package service_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// Pictures that are kept to be drawn over have twice the largest one's pixels together; what is only fed to the model gives
// its room back once it was decoded.
func TestPicturesUnderWay(t *testing.T) {
	for original, most := range map[bool]int64{true: 2, false: 6} {
		m := fakemodel.New(4, "a", "b")
		var running atomic.Int64
		open := make(chan struct{})
		m.BeforeRun = func(context.Context) error {
			running.Add(1)
			<-open
			return nil
		}
		s := serviceOf(t, m, service.Options{Images: imaging.Limits{MaxPixels: 64}})
		config := service.ExplainConfig{}
		if original {
			config.Rendering.Resolution = service.ResolutionOriginal
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(8, 8), Config: config}); err != nil {
					t.Error(err)
				}
			})
		}
		for end := time.Now().Add(5 * time.Second); running.Load() < most && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		if running.Load() != most {
			t.Errorf("original %v: %d run, want %d", original, running.Load(), most)
		}
		close(open)
		all.Wait()
	}
}

// witness notes what an observer hears.
type witness struct {
	mu     sync.Mutex
	models []explaind.ModelRef
	phases []string
	long   time.Duration
}

func (w *witness) Answers(ref explaind.ModelRef) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.models = append(w.models, ref)
}

func (w *witness) Observe(e explaind.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phases = append(w.phases, string(e.Phase))
	w.long += e.Took
}

// An observer hears which model answers and of each phase once, in order; and their times add up to no more than the whole.
func TestObserved(t *testing.T) {
	s := serviceOf(t, fakemodel.New(4, "a", "b"), service.Options{})
	for what, call := range map[string]func(context.Context) error{
		"queue decode": func(ctx context.Context) error {
			_, err := s.Predict(ctx, &service.PredictRequest{Image: pixels(4, 4)})
			return err
		},
		"queue decode render": func(ctx context.Context) error {
			_, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(4, 4), Config: longOnes["faithfulness"]})
			return err
		},
	} {
		var w witness
		began := time.Now()
		if err := call(explaind.WithObserver(t.Context(), &w)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(w.phases, " "); got != what || w.long > time.Since(began) {
			t.Errorf("heard %q, of %v", got, w.long)
		}
		if len(w.models) != 1 || w.models[0].Name != "m" || w.models[0].Version != 1 {
			t.Errorf("answered by %v", w.models)
		}
	}
}
