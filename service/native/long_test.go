package native_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// longConfig takes thousands of passes.
func longConfig() *pb.ExplainConfig {
	return &pb.ExplainConfig{Methods: []pb.Method{rise}, Options: &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 60_000}}}
}

// Progress over the wire: only where it was asked for, with the image's sequence, ascending, and the method's total. Images
// of one stream do not mix, and a bad one has none.
func TestProgressOverTheWire(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		m := newDeep()
		m.BeforeRun = func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }
		s := one(m)
		s.tcp, s.options = tcp, service.Options{MaxInFlight: 2}
		r := start(t, s)
		for _, asked := range []bool{true, false} {
			c := &pb.ExplainConfig{Methods: []pb.Method{rise, gradCAM}, Options: &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 480}}} // 60 passes
			stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{explain: c, progress: asked})
			stream.item(5, mixed(8, 6).image(t))
			stream.item(4, tensorless([]byte("no image")))
			stream.item(3, mixed(6, 8).image(t))
			stream.CloseSend()
			all := hearAll(t, stream)
			if all.end != nil || all.summary.GetSucceeded() != 2 || all.summary.GetFailed() != 1 {
				t.Fatalf("ended with %v, %v", all.end, all.summary)
			}
			if !asked {
				if len(all.progress) != 0 {
					t.Errorf("told %v unasked", all.progress)
				}
				continue
			}
			for _, n := range []int64{3, 5} {
				if len(all.progress[n]) == 0 {
					t.Errorf("nothing was told of image %d", n)
				}
				last := int64(-1)
				for _, p := range all.progress[n] {
					if p.GetMethod() != rise || p.GetTotal() != 480 || p.GetDone() <= last || p.GetDone() >= 480 || p.GetDone()%8 != 0 {
						t.Errorf("image %d: after %d came %v", n, last, p)
					}
					last = p.GetDone()
				}
			}
			if len(all.progress[4]) != 0 {
				t.Errorf("a bad image had progress: %v", all.progress[4])
			}
		}
	})
}

// A caller that goes away, or whose deadline passes, in the middle of a method stops it before the next pass: alone and in
// a stream. The place is free for others.
func TestLongMethodsStop(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		for what, code := range map[string]codes.Code{"gone": codes.Canceled, "late": codes.DeadlineExceeded} {
			for _, streamed := range []bool{false, true} {
				t.Run(name("%s, streamed %v", what, streamed), func(t *testing.T) {
					m := newDeep()
					ctx, cancel := context.WithCancel(t.Context())
					if what == "late" {
						ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
					}
					defer cancel()
					const at = 20
					var stopped atomic.Bool
					m.BeforeRun = func(server context.Context) error {
						if m.Runs() == at {
							if what == "gone" {
								cancel()
							}
							<-server.Done() // the server knows
							stopped.Store(true)
						}
						return nil
					}
					s := one(m)
					s.tcp, s.options.MaxInFlight = tcp, 1
					r := start(t, s)
					var got *status.Status
					if streamed {
						stream, _ := dialogue{r, explainTalk}.begin(t, ctx, talkConfig{explain: longConfig(), progress: true})
						stream.item(1, mixed(8, 6).image(t))
						got = hearAll(t, stream).end
					} else {
						_, err := r.Explain(ctx, &pb.ExplainRequest{Image: mixed(8, 6).image(t), Config: longConfig()})
						got = status.Convert(err)
					}
					if got.Code() != code {
						t.Errorf("ended with %v", got)
					}
					eventually(t, "the server stops", stopped.Load)
					must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: mixed(8, 6).image(t)}))
					if m.Runs() != at+1 {
						t.Errorf("%d runs, want %d, and one of another request", m.Runs(), at)
					}
				})
			}
		}
	})
}

// With one place, single requests and other streams are answered while a stream works on images of thousands of passes.
func TestOthersPassLongMethods(t *testing.T) {
	m := newDeep()
	m.BeforeRun = func(context.Context) error { time.Sleep(time.Millisecond); return nil }
	s := one(m)
	s.options.MaxInFlight = 1
	r := start(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, _ := dialogue{r, explainTalk}.begin(t, ctx, talkConfig{explain: longConfig()})
	for i := range int64(2) { // the window
		stream.item(i, mixed(8, 6).image(t))
	}
	var ended atomic.Bool
	var listening sync.WaitGroup
	listening.Go(func() {
		stream.hear()
		ended.Store(true)
	})
	eventually(t, "the long one runs", func() bool { return m.Runs() > 3 })
	seen := look(mixed(8, 6).inputs(), 3)
	for range 5 {
		got := explain(t, r, mixed(8, 6).image(t), &pb.ExplainConfig{Targets: []*pb.Target{class(1)}, Rendering: atLayer})
		seen.raw(t, gradCAM, of(1), nil).check(t, got.GetExplanations()[0].GetHeatmap())
	}
	other, _ := dialogue{r, predictTalk}.begin(t, t.Context(), talkConfig{})
	for i := range int64(5) {
		other.item(i, mixed(8, 6).image(t))
	}
	other.CloseSend()
	if all := hearAll(t, other); all.end != nil || all.summary.GetSucceeded() != 5 {
		t.Errorf("the other stream ended with %v, %v", all.end, all.summary)
	}
	if ended.Load() {
		t.Error("the long one was answered already")
	}
	cancel()
	listening.Wait()
	if m.Peak() > 3 { // two passes, and one of a short request
		t.Errorf("%d runs at once", m.Peak())
	}
}

// A server that stops answers what is under way, however many passes it takes.
func TestLongMethodsDrain(t *testing.T) {
	m := newDeep()
	s := one(m)
	s.options.MaxInFlight = 2
	r := start(t, s)
	var once sync.Once
	m.BeforeRun = func(context.Context) error {
		if m.Runs() > 10 {
			once.Do(r.stop)
		}
		return nil
	}
	c := longConfig()
	c.Options.Rise.Masks = 2000
	stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{explain: c})
	stream.item(0, mixed(8, 6).image(t))
	all := hearAll(t, stream)
	badRequest{code: unavailable, reason: "SERVER_DRAINING"}.check(t, "the end", all.end)
	if len(all.results) != 1 || m.Runs() != 1+2000/8 {
		t.Errorf("answered %v after %d runs", all.order, m.Runs())
	}
}
