package service_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// No more images are worked on at once than there are places, decoding included; the others wait and are answered.
func TestPlaces(t *testing.T) {
	const places, callers = 3, 30
	m := fakemodel.New(4, "a", "b")
	started, release := make(chan struct{}, callers), make(chan struct{})
	m.BeforeRun = func(context.Context) error {
		started <- struct{}{}
		<-release
		return nil
	}
	s := serviceOf(t, m, service.Options{MaxInFlight: places, MaxQueue: callers})
	if s.MaxInFlight() != places {
		t.Errorf("MaxInFlight is %d", s.MaxInFlight())
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)})
			} else {
				_, err = s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range places {
		<-started
	}
	time.Sleep(50 * time.Millisecond)
	if m.Runs() != places {
		t.Errorf("%d run, %d places", m.Runs(), places)
	}
	close(release)
	all.Wait()
	if m.Runs() != callers || m.Peak() > places {
		t.Errorf("%d runs, at most %d at once", m.Runs(), m.Peak())
	}
}

// The time that a request waited is its queue time.
func TestQueueTime(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	const busy = 50 * time.Millisecond
	started := make(chan struct{}, 2)
	m.BeforeRun = func(context.Context) error {
		started <- struct{}{}
		time.Sleep(busy)
		return nil
	}
	s := serviceOf(t, m, service.Options{MaxInFlight: 1})
	var first sync.WaitGroup
	first.Go(func() { s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)}) })
	<-started
	answer, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4)})
	first.Wait()
	if err != nil {
		t.Fatal(err)
	}
	x := answer.Timing
	if x.Queue < busy/2 || x.Run < busy || x.Total < x.Queue+x.Decode+x.Run+x.Render {
		t.Errorf("timing is %+v", x)
	}
}

// Every way out of a request gives its place and its handle back: with one place, the next one is answered.
func TestPlacesAreGivenBack(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	var before func(context.Context) error
	m.BeforeRun = func(ctx context.Context) error { return before(ctx) }
	s := serviceOf(t, m, service.Options{MaxInFlight: 1, MaxMapPixels: 100})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	fine := func(context.Context) error { return nil }
	large := service.ExplainConfig{Targets: make([]service.Target, 7)}
	for what, c := range map[string]struct {
		ctx    context.Context
		before func(context.Context) error
		image  service.Image
		config service.ExplainConfig
		want   string
	}{
		"answered":       {t.Context(), fine, pixels(4, 4), service.ExplainConfig{}, "OK"},
		"gone":           {cancelled, fine, pixels(4, 4), service.ExplainConfig{}, "CANCELED"},
		"no image":       {t.Context(), fine, service.Image{}, service.ExplainConfig{}, "IMAGE_REQUIRED"},
		"bad config":     {t.Context(), fine, pixels(4, 4), service.ExplainConfig{TopK: -1}, "BAD_TOP_K"},
		"too large":      {t.Context(), fine, pixels(4, 4), large, "TOO_MANY_EXPLANATIONS"},
		"failing model":  {t.Context(), func(context.Context) error { return errors.New("oh") }, pixels(4, 4), service.ExplainConfig{}, "INTERNAL"},
		"panicing model": {t.Context(), func(context.Context) error { panic("oh") }, pixels(4, 4), service.ExplainConfig{}, "PANIC"},
	} {
		t.Run(what, func(t *testing.T) {
			before = c.before
			got := func() (r string) {
				defer func() {
					if recover() != nil {
						r = "PANIC"
					}
				}()
				_, err := s.Explain(c.ctx, &service.ExplainRequest{Image: c.image, Config: c.config})
				return reason(err)
			}()
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			before = fine
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := s.Predict(ctx, &service.PredictRequest{Image: pixels(4, 4)}); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}
