package native

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

const (
	passes  = 40
	perPass = 60 * time.Millisecond
)

// conversation is a stream in which every run of the model takes its time: RISE of 40 passes on each image.
type conversation struct {
	*wire[pb.ExplainStreamRequest, pb.ExplainStreamResponse]
	model *fakemodel.Model
	end   chan error
}

func converse(ctx context.Context, t *testing.T, config *pb.ExplainStreamConfig) *conversation {
	t.Helper()
	c := &conversation{newWire[pb.ExplainStreamRequest, pb.ExplainStreamResponse](ctx), fakemodel.New(2, "a", "b"), make(chan error, 1)}
	c.model.BeforeRun = func(context.Context) error {
		time.Sleep(perPass)
		return nil
	}
	s := service.New(fakerepo.New(t, map[string]explaind.Model{"m": c.model}), service.Options{MaxInFlight: 1})
	go func() { c.end <- New(s, make(chan struct{}), nil).ExplainStream(c) }()
	config.Config = &pb.ExplainConfig{Methods: []pb.Method{pb.Method_METHOD_RISE}, Options: &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 8 * passes}}}
	c.arrive <- &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: config}}
	if m := <-c.leave; m.GetStarted() == nil {
		t.Fatalf("began with %v", m)
	}
	return c
}

func (c *conversation) send(sequences ...int64) {
	for _, n := range sequences {
		c.arrive <- &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: black(n)}}
	}
	close(c.arrive)
}

// hear takes all messages to the end. It checks that progress comes before the result of its sequence only, and goes on.
func (c *conversation) hear(t *testing.T) (done map[int64][]int64, results []int64) {
	t.Helper()
	done = map[int64][]int64{}
	for {
		select {
		case m := <-c.leave:
			p := m.GetProgress()
			switch n := p.GetSequence(); {
			case m.GetResult() != nil:
				results = append(results, m.GetResult().GetSequence())
			case p == nil:
			case slices.Contains(results, n) || p.GetMethod() != pb.Method_METHOD_RISE || p.GetTotal() != 8*passes ||
				len(done[n]) > 0 && p.GetDone() <= done[n][len(done[n])-1]:
				t.Errorf("after %v, results of %v: %v", done[n], results, p)
			default:
				done[n] = append(done[n], p.GetDone())
			}
		case err := <-c.end:
			if err != nil {
				t.Errorf("ended with %v", err)
			}
			return done, results
		}
	}
}

// Progress comes at most every 250 ms: at the first pass after that. The first run, which finds the class, takes as long
// as a pass, so the passes begin at 60 ms, 120 ms, …, and what is told at 300 ms is the fifth.
func TestProgressIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := converse(t.Context(), t, &pb.ExplainStreamConfig{Progress: true})
		began := time.Now()
		go c.send(7)
		done, results := c.hear(t)
		if want := []int64{32, 72, 112, 152, 192, 232, 272, 312}; !slices.Equal(done[7], want) || len(done) != 1 {
			t.Errorf("told %v, want %v", done, want)
		}
		if took := time.Since(began); took != (1+passes)*perPass || !slices.Equal(results, []int64{7}) {
			t.Errorf("results of %v after %v", results, took)
		}
	})
}

// Each image has its own progress. The second one begins when the first one is done, or stands aside.
func TestProgressOfEachImage(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := converse(t.Context(), t, &pb.ExplainStreamConfig{Progress: true, Ordered: ordered})
			go c.send(3, 1, 2)
			done, results := c.hear(t)
			for _, n := range []int64{1, 2, 3} {
				if len(done[n]) < 5 {
					t.Errorf("ordered %v: told %v of image %d", ordered, done[n], n)
				}
			}
			if len(results) != 3 || ordered && !slices.Equal(results, []int64{3, 1, 2}) {
				t.Errorf("ordered %v: results of %v", ordered, results)
			}
		})
	}
}

func TestNoProgressUnlessAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := converse(t.Context(), t, &pb.ExplainStreamConfig{})
		go c.send(1, 2)
		if done, results := c.hear(t); len(done) != 0 || len(results) != 2 {
			t.Errorf("told %v, results of %v", done, results)
		}
	})
}

// A caller that does not listen holds no worker up: all work is done while the stream waits to say the first progress.
// Which of what was left to say comes first is up to chance, so there are many attempts.
func TestProgressHoldsNobodyUp(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			c := converse(t.Context(), t, &pb.ExplainStreamConfig{Progress: true})
			go c.send(1, 2) // the window
			time.Sleep(time.Hour)
			synctest.Wait()
			if runs := c.model.Runs(); runs != 2*(1+passes) {
				t.Errorf("%d runs", runs)
			}
			if done, results := c.hear(t); len(results) != 2 || len(done[1])+len(done[2]) > 1+2 {
				t.Errorf("told %v, results of %v", done, results)
			}
		})
	}
}

// A stream whose caller goes away in the middle of a method ends within a pass.
func TestStreamStopsInAMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := converse(ctx, t, &pb.ExplainStreamConfig{Progress: true})
		go c.send(1, 2)
		for m := range c.leave {
			if m.GetProgress().GetDone() >= 100 {
				break
			}
		}
		began, runs := time.Now(), c.model.Runs()
		cancel()
		if err := <-c.end; status.Code(err) != codes.Canceled && explaind.AsError(err).Code != explaind.Canceled && !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(began); took > perPass || c.model.Runs() > runs+1 {
			t.Errorf("ended after %v and %d more runs", took, c.model.Runs()-runs)
		}
	})
}
