package service_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// ending is a context that ends, one way or the other, when it is told to.
type ending struct {
	context.Context
	end chan struct{}
	why error
}

func (e *ending) Done() <-chan struct{} { return e.end }

func (e *ending) Err() error {
	select {
	case <-e.end:
		return e.why
	default:
		return nil
	}
}

// longOnes are requests of many passes, each of at least four runs of the model.
var longOnes = map[string]service.ExplainConfig{
	"smooth_grad":               {Methods: []explaind.Method{"smooth_grad"}},
	"smooth_grad_cam_plus_plus": {Methods: []explaind.Method{"smooth_grad_cam_plus_plus"}},
	"integrated_gradients":      {Methods: []explaind.Method{"integrated_gradients"}},
	"occlusion":                 {Methods: []explaind.Method{"occlusion"}},
	"rise":                      {Methods: []explaind.Method{"rise"}, Options: explaind.MethodOptions{RISE: explaind.RISEOptions{Masks: 60_000}}},
	"score_cam":                 {Methods: []explaind.Method{"score_cam"}, Layers: []string{"", "other", "frozen"}},
	"ablation_cam":              {Methods: []explaind.Method{"ablation_cam"}, Layers: []string{"", "other", ""}},
	"faithfulness":              {Faithfulness: true},
	"variants":                  {Methods: []explaind.Method{"score_cam"}, Options: explaind.MethodOptions{AugSmooth: true}},
}

// Who is no longer waited for stops before the next pass, whatever the method, and gives the place back.
func TestLongOnesStop(t *testing.T) {
	const at = 3 // the run during which the caller goes
	for _, why := range []error{context.Canceled, context.DeadlineExceeded} {
		for what, config := range longOnes {
			t.Run(what+" "+why.Error(), func(t *testing.T) {
				m := metered(6, 6)
				ctx := &ending{t.Context(), make(chan struct{}), why}
				m.BeforeRun = func(context.Context) error {
					if m.Runs() == at {
						close(ctx.end)
					}
					return nil
				}
				s := serviceOf(t, m, service.Options{MaxInFlight: 1})
				_, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(6, 6), Config: config})
				e := explaind.AsError(err)
				code := explaind.Canceled
				if why == context.DeadlineExceeded {
					code = explaind.DeadlineExceeded
				}
				if err == nil || e.Code != code || e.Metadata["phase"] != "RUN" || m.Runs() != at {
					t.Errorf("%v, phase %q after %d runs", err, e.Metadata["phase"], m.Runs())
				}
				soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				config.Options.RISE.Masks = 20
				if _, err := s.Explain(soon, &service.ExplainRequest{Image: pixels(6, 6), Config: config}); err != nil || m.Runs() < 2*at+1 {
					t.Errorf("the next one: %v after %d runs", err, m.Runs())
				}
			})
		}
	}
}

// A failure in the middle of a method is the answer, as it is.
func TestLongOnesFail(t *testing.T) {
	for what, config := range longOnes {
		m := metered(6, 6)
		m.BeforeRun = func(context.Context) error {
			if m.Runs() == 3 {
				return explaind.Errorf(explaind.ResourceExhausted, "NO_MEMORY", "no memory is left")
			}
			return nil
		}
		s := serviceOf(t, m, service.Options{MaxInFlight: 1})
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(6, 6), Config: config})
		if reason(err) != "NO_MEMORY" || m.Runs() != 3 {
			t.Errorf("%s: %v after %d runs", what, err, m.Runs())
		}
	}
}

// With a single place, short requests are answered while a long one is under way.
func TestShortOnesPassLongOnes(t *testing.T) {
	for what, config := range map[string]service.ExplainConfig{ // each for a second and more
		"passes of a method": longOnes["rise"],
		"faithfulness":       {Faithfulness: true, Targets: make([]service.Target, 200)},
	} {
		m := fakemodel.New(4, "a", "b")
		m.BeforeRun = func(context.Context) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		s := serviceOf(t, m, service.Options{MaxInFlight: 1})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(4, 4), Config: config})
			done <- err
		}()
		for m.Runs() < 3 {
			time.Sleep(time.Millisecond)
		}
		for range 10 {
			if _, err := s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)}); err != nil {
				t.Error(err)
			}
			if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4)}); err != nil {
				t.Error(err)
			}
		}
		if len(done) > 0 {
			t.Fatalf("%s: the long one had ended: %v", what, <-done)
		}
		passes := m.Runs()
		for m.Runs() < passes+3 { // it goes on
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; reason(err) != "CANCELED" || m.Peak() > 2 { // its own and a short one
			t.Errorf("%s: the long one: %v; %d runs at once", what, err, m.Peak())
		}
	}
}

// However many come, no more images are held than eight long ones and those in flight, and no more passes run than two and
// those.
func TestHeldImages(t *testing.T) {
	const places, passes = 2, 20
	m := fakemodel.New(4, "a", "b")
	s := serviceOf(t, m, service.Options{MaxInFlight: places, MaxQueue: 24})
	var mu sync.Mutex
	long, most := 0, 0 // requests between their first run and their last
	m.BeforeRun = func(ctx context.Context) error {
		if runs, ok := ctx.Value(runsOf{}).(*int); ok {
			mu.Lock()
			if *runs++; *runs == 1 {
				long++
				most = max(most, long)
			}
			if *runs == 1+passes {
				long--
			}
			mu.Unlock()
		}
		time.Sleep(100 * time.Microsecond)
		return nil
	}
	var all sync.WaitGroup
	config := service.ExplainConfig{Methods: []explaind.Method{"rise"}, Options: explaind.MethodOptions{RISE: explaind.RISEOptions{Masks: 8 * passes}}}
	for range 12 {
		all.Go(func() {
			ctx := context.WithValue(t.Context(), runsOf{}, new(int))
			if _, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(4, 4), Config: config}); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for range 20 {
				if _, err := s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if most != 8 || long != 0 || m.Runs() != 12*(1+passes)+12*20 || m.Peak() > places+2 {
		t.Errorf("%d long ones at once, %d runs, %d of them at once", most, m.Runs(), m.Peak())
	}
}

// runsOf is the key of how many runs a request has had.
type runsOf struct{}
