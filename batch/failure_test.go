package batch_test

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/fakemodel"
)

// picky fails on images that hold a value above 1: NaN panics, infinity ends the goroutine, and any other is an error.
type picky struct{ *fakemodel.Model }

func (m *picky) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	p, err := m.Model.Predict(ctx, images)
	for _, v := range images.Data {
		switch {
		case v != v:
			panic("poisoned")
		case math.IsInf(float64(v), 0):
			runtime.Goexit()
		case v > 1:
			return nil, explaind.Errorf(explaind.Internal, "RUN_FAILED", "value %v", v)
		}
	}
	return p, err
}

// poisoned are good images among which one is not.
func poisoned(value float32, at, of int) []ask {
	r := draw()
	var asks []ask
	for range of {
		asks = append(asks, predict(picture(r, 1, imageSize)))
	}
	asks[at].images.Data[7] = value
	return asks
}

func busyPicky(t *testing.T) (*batch.Model, *gate, *log) {
	t.Helper()
	fake, runs := newFake(), &log{}
	m, g := batch.New(&picky{fake}, batch.Options{MaxRuns: 1, Ran: runs.ran}), newGate(fake)
	hold(t, m, g)
	return m, g, runs
}

// One bad image among good ones fails alone, whether or not it leads their run.
func TestErrorOfOneIsNotThatOfOthers(t *testing.T) {
	for bad := range 3 {
		asks := poisoned(5, bad, 3)
		m, g, runs := busyPicky(t)
		answers := queue(t, m, asks...)
		g.release()
		for i, a := range asks {
			got := receive(t, answers[i])
			if i != bad {
				mustEqual(t, a, got)
			} else if e := explaind.AsError(got.err); e.Reason != "RUN_FAILED" || e.Message != "value 5" {
				t.Error(got.err)
			}
		}
		runs.mustBe(t, "3/3", "1/1", "1/1", "1/1")
	}
}

// A panic reaches the caller whose image causes it, and nobody else.
func TestPanicOfOneIsNotThatOfOthers(t *testing.T) {
	for bad := range 3 {
		asks := poisoned(float32(math.NaN()), bad, 3)
		m, g, runs := busyPicky(t)
		var answers []<-chan answered
		panicked := make(chan any, 1)
		for i, a := range asks {
			if i != bad {
				answers = append(answers, queue(t, m, a)[0])
				continue
			}
			before := m.Stats().WaitingRequests
			go func() {
				defer func() { panicked <- recover() }()
				_, _ = m.Predict(context.Background(), a.images)
			}()
			eventually(t, "the request waits", func() bool { return m.Stats().WaitingRequests == before+1 })
			answers = append(answers, nil)
		}
		g.release()
		for i, a := range asks {
			if i != bad {
				mustEqual(t, a, receive(t, answers[i]))
			}
		}
		if p := <-panicked; p != "poisoned" {
			t.Errorf("recovered %v", p)
		}
		runs.mustBe(t, "3/3", "1/1", "1/1", "1/1")
		mustBeIdle(t, m)
	}
}

// A run that ends its goroutine gives itself back as well.
func TestGoexit(t *testing.T) {
	for bad := range 3 {
		asks := poisoned(float32(math.Inf(1)), bad, 3)
		m, g, _ := busyPicky(t)
		var answers []<-chan answered
		for _, a := range asks {
			answers = append(answers, queue(t, m, a)[0])
		}
		g.release()
		lost := 0
		for i, a := range asks {
			if i == bad {
				continue
			}
			if bad == 0 || i > 0 { // the leader of the shared run is lost with it
				mustEqual(t, a, receive(t, answers[i]))
			} else {
				lost++
			}
		}
		eventually(t, "all runs are given back", func() bool { return m.Stats() == batch.Stats{} })
		if want := min(bad, 1); lost != want {
			t.Errorf("%d good ones lost", lost)
		}
	}
}

func TestPanicWithoutCompany(t *testing.T) {
	m := batch.New(&picky{newFake()}, batch.Options{MaxRuns: 1})
	func() {
		defer func() {
			if p := recover(); p != "poisoned" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = m.Predict(t.Context(), poisoned(float32(math.NaN()), 0, 1)[0].images)
	}()
	mustBeIdle(t, m)
}

// mustBeIdle wants the next request to run at once.
func mustBeIdle(t *testing.T, m *batch.Model) {
	t.Helper()
	eventually(t, "all runs are given back", func() bool { return m.Stats() == batch.Stats{} })
	a := predict(picture(draw(), 1, imageSize))
	mustEqual(t, a, receive(t, send(t.Context(), m, a)))
}

// Those who run once more do so with as many runs as are free, and before those who came later.
func TestRunsOnceMoreBeforeOthers(t *testing.T) {
	fake := newFake()
	runs := &log{}
	var begun atomic.Int64
	m, g := batch.New(fake, batch.Options{MaxRuns: 1, MaxRows: 3, Ran: runs.ran}), newGate(fake)
	hold(t, m, g)
	fake.BeforeRun = func(context.Context) error {
		if begun.Add(1) == 1 { // the run that all share
			return explaind.Errorf(explaind.Internal, "RUN_FAILED", "once")
		}
		return nil
	}
	r := draw()
	var asks []ask
	for range 3 {
		asks = append(asks, predict(picture(r, 1, imageSize)))
	}
	asks = append(asks, ask{name: "outputs", images: picture(r, 2, imageSize)})
	answers := queue(t, m, asks...)
	g.release()
	for i, a := range asks {
		mustEqual(t, a, receive(t, answers[i]))
	}
	runs.mustBe(t, "3/3", "1/1", "1/1", "1/1", "2/1")
}
