package native_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

// gate holds the runs of a model back until it is opened.
type gate struct {
	waiting atomic.Int64 // runs that came
	left    atomic.Int64 // runs whose context ended before it opened
	open    chan struct{}
}

func gated(m *fakemodel.Model) *gate {
	g := &gate{open: make(chan struct{})}
	m.BeforeRun = func(ctx context.Context) error {
		g.waiting.Add(1)
		select {
		case <-g.open:
			return nil
		case <-ctx.Done():
			g.left.Add(1)
			return explaind.FromContext(ctx)
		}
	}
	return g
}

// When the server stops: draining is said, nothing more is read, what was read is answered, and the stream is
// UNAVAILABLE.
func TestStreamDrains(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		onBoth(t, func(t *testing.T, kind talkKind) {
			m := colours()
			g := gated(m)
			s := one(m)
			s.tcp, s.options.MaxInFlight = tcp, 4 // a window of 8
			r := start(t, s)
			stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
			const read = 6 // fewer than the window, so that the server waits for the next one when the draining begins
			for i := range int64(read) {
				stream.item(i, named(t, shade(i), i))
			}
			eventually(t, "four run", func() bool { return g.waiting.Load() == 4 })
			time.Sleep(50 * time.Millisecond) // two more are read meanwhile
			r.stop()
			e := must[event](t)(stream.hear())
			if e.draining == nil {
				t.Fatalf("first came %+v", e)
			}
			// What the server was about to receive when it began to drain is read, and answered as well.
			stream.item(read, named(t, shade(read), read))
			stream.item(read+1, named(t, shade(read+1), read+1))
			time.Sleep(50 * time.Millisecond)
			close(g.open)
			all := hearAll(t, stream)
			slices.Sort(all.order)
			if !slices.Equal(all.order, []int64{0, 1, 2, 3, 4, 5, 6}) || all.summary != nil {
				t.Errorf("answered %v and %v", all.order, all.summary)
			}
			for _, x := range all.results {
				checkShade(t, x)
			}
			badRequest{code: unavailable, reason: "SERVER_DRAINING"}.check(t, "the end", all.end)
			<-r.done
		})
	})
}

// A caller that has sent all sees no draining: its stream ends well.
func TestStreamDrainsAfterHalfClose(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		for _, closedFirst := range []bool{true, false} {
			m := colours()
			g := gated(m)
			s := one(m)
			s.options.MaxInFlight = 4
			r := start(t, s)
			stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
			stream.item(0, named(t, shade(0), 0))
			eventually(t, "one runs", func() bool { return g.waiting.Load() == 1 })
			if closedFirst {
				stream.CloseSend()
				time.Sleep(50 * time.Millisecond)
				r.stop()
			} else {
				r.stop()
				if e := must[event](t)(stream.hear()); e.draining == nil {
					t.Fatalf("first came %+v", e)
				}
				stream.CloseSend()
				time.Sleep(50 * time.Millisecond)
			}
			close(g.open)
			all := hearAll(t, stream)
			if all.end != nil || all.drained >= 0 || all.summary.GetSucceeded() != 1 {
				t.Errorf("ended with %+v", all)
			}
			<-r.done
		}
	})
}

// Streams that only sit there do not hold the server up.
func TestIdleStreamsDrain(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		r := start(t, one(colours()))
		silent := dialogue{r, kind}.open(t, t.Context())
		idle, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
		time.Sleep(20 * time.Millisecond)
		began := time.Now()
		r.stop()
		all := hearAll(t, idle)
		if all.drained != 0 {
			t.Error("the idle stream was not told")
		}
		badRequest{code: unavailable, reason: "SERVER_DRAINING"}.check(t, "the idle stream", all.end)
		badRequest{code: unavailable, reason: "SERVER_DRAINING"}.check(t, "the silent stream", hearAll(t, silent).end)
		<-r.done
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
}

// When the caller goes away all its work stops: what runs is told, what waits does not run.
func TestStreamCancelled(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		onBoth(t, func(t *testing.T, kind talkKind) {
			m := colours()
			g := gated(m)
			s := one(m)
			s.tcp, s.options.MaxInFlight = tcp, 2
			r := start(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, _ := dialogue{r, kind}.begin(t, ctx, talkConfig{})
			go func() {
				for i := range int64(100) {
					if stream.item(i, shade(i).image(t)) != nil {
						return
					}
				}
			}()
			eventually(t, "two run", func() bool { return g.waiting.Load() == 2 })
			cancel()
			if all := hearAll(t, stream); all.end.Code() != codes.Canceled {
				t.Errorf("ended with %v", all.end)
			}
			eventually(t, "both are told", func() bool { return g.left.Load() == 2 })
			// The places are free again: others are answered.
			close(g.open)
			got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: shade(9).image(t)}))
			near(t, "logit", got.GetPredictions()[0].GetLogit(), look(shade(9).inputs(), 3).logits[got.GetPredictions()[0].GetClassIndex()])
			if m.Runs() != 3 {
				t.Errorf("the model ran %d times, want 3", m.Runs())
			}
		})
	})
}

func TestStreamDeadline(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		m := colours()
		g := gated(m)
		defer close(g.open)
		s := one(m)
		s.options.MaxInFlight = 2
		r := start(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		stream, _ := dialogue{r, kind}.begin(t, ctx, talkConfig{})
		for i := range int64(4) {
			stream.item(i, shade(i).image(t))
		}
		all := hearAll(t, stream)
		if all.end.Code() != codes.DeadlineExceeded || len(all.results) != 0 {
			t.Errorf("ended with %+v", all)
		}
		eventually(t, "both are told", func() bool { return g.left.Load() == 2 })
		if m.Runs() != 2 {
			t.Errorf("the model ran %d times, want 2", m.Runs())
		}
	})
}

// A run of the model cannot be broken off. The model stays open until the last one has ended, though the stream that asked
// for it is gone and another version serves.
func TestStreamHoldsTheModelWhileItRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		first := colours()
		running, release := make(chan struct{}), make(chan struct{})
		first.BeforeRun = func(context.Context) error {
			close(running)
			<-release
			return nil
		}
		r := start(t, one(first))
		ctx, cancel := context.WithCancel(t.Context())
		stream, _ := dialogue{r, kind}.begin(t, ctx, talkConfig{})
		stream.item(0, shade(0).image(t))
		<-running
		cancel()
		hearAll(t, stream)
		r.repo.Put("colours", 2, colours())
		r.repo.Load(t.Context())
		time.Sleep(50 * time.Millisecond)
		if first.Closed() {
			t.Error("the model was closed while it ran")
		}
		close(release)
		eventually(t, "the first version is closed", first.Closed)
	})
}

// What a queue is for: a request that waits past its deadline does not run.
func TestDeadlineInTheQueue(t *testing.T) {
	m := colours()
	g := gated(m)
	s := one(m)
	s.options.MaxInFlight = 1
	r := start(t, s)
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "one runs", func() bool { return g.waiting.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := r.Explain(ctx, &pb.ExplainRequest{Image: shade(1).image(t)})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("waited and got %v", err)
	}
	eventually(t, "the server knows too", func() bool { return strings.Contains(r.log.String(), "finished call") })
	close(g.open)
	running.Wait()
	if m.Runs() != 1 {
		t.Errorf("the model ran %d times, want 1", m.Runs())
	}
}
