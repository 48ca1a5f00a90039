package native_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
)

// detail is the first detail of a kind; the zero one if there is none.
func detail[T any](s *status.Status) T {
	var none T
	for _, d := range s.Details() {
		if d, ok := d.(T); ok {
			return d
		}
	}
	return none
}

// refusal is all that a caller gets who is refused and may come back.
type refusal struct {
	code   codes.Code
	reason string
	least  time.Duration // to wait
}

func (r refusal) check(t *testing.T, err error, trailer metadata.MD) {
	t.Helper()
	s := status.Convert(err)
	info, retry := detail[*errdetails.ErrorInfo](s), detail[*errdetails.RetryInfo](s)
	after := retry.GetRetryDelay().AsDuration()
	if s.Code() != r.code || info.GetReason() != r.reason || info.GetDomain() != "explaind" || info.GetMetadata()["phase"] != "QUEUE" {
		t.Errorf("refused with %v, %v", err, info)
	}
	if after < r.least || after > 30*time.Second {
		t.Errorf("to come back after %v", after)
	}
	if quota := detail[*errdetails.QuotaFailure](s); (quota != nil) != (r.code == codes.ResourceExhausted) {
		t.Errorf("quota is %v", quota)
	}
	pushback := trailer.Get("grpc-retry-pushback-ms")
	if len(pushback) != 1 || pushback[0] != name("%d", after.Milliseconds()) {
		t.Errorf("the trailer is %v, the delay %v", pushback, after)
	}
}

// middle is the median: machines that test are busy, and single times say little there.
func middle(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// busy fills the places and then the queue with calls that are answered when the gate opens.
func (r *rig) busy(t testing.TB, places, queue int) (answered func() int) {
	t.Helper()
	var all sync.WaitGroup
	var good atomic.Int64
	for range places + queue {
		all.Go(func() {
			if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}); err == nil {
				good.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	eventually(t, "all are there", func() bool {
		s := r.service.Stats()
		return s.InFlight == places && s.Waiting == queue
	})
	return func() int {
		all.Wait()
		return int(good.Load())
	}
}

// One too many is refused at once, with all that tells when to come back. Streams wait instead, and everybody who was let in
// is answered.
func TestQueueFull(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		m := colours()
		g := gated(m)
		s := one(m)
		s.tcp, s.options = tcp, service.Options{MaxInFlight: 2, MaxQueue: 3}
		r := start(t, s)
		answered := r.busy(t, 2, 3)
		stream, _ := dialogue{r, predictTalk}.begin(t, t.Context(), talkConfig{})
		for i := range int64(4) {
			stream.item(i, shade(i).image(t))
		}
		stream.CloseSend()
		eventually(t, "the items wait", func() bool { return r.service.Stats().Waiting == 3+4 })
		want := refusal{codes.Unavailable, "OVERLOADED", time.Second}
		var times []time.Duration
		for range 5 {
			var trailer metadata.MD
			began := time.Now()
			_, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}, grpc.Trailer(&trailer))
			times = append(times, time.Since(began))
			want.check(t, err, trailer)
			_, err = r.Explain(t.Context(), &pb.ExplainRequest{Image: shade(1).image(t)}, grpc.Trailer(&trailer))
			want.check(t, err, trailer)
		}
		if middle(times) > 50*time.Millisecond {
			t.Errorf("refused after %v", times)
		}
		if m.Runs() != 2 {
			t.Errorf("%d runs", m.Runs())
		}
		close(g.open)
		if all := hearAll(t, stream); all.end != nil || all.summary.GetSucceeded() != 4 {
			t.Errorf("the stream ended with %v, %v", all.end, all.summary)
		}
		if n := answered(); n != 5 || m.Runs() != 9 {
			t.Errorf("%d were answered by %d runs", n, m.Runs())
		}
		if s := r.service.Stats(); s.Waiting != 0 || s.InFlight != 0 {
			t.Errorf("left over: %+v", s)
		}
	})
}

// A client of gRPC with a retry policy comes back when it was told to, by itself.
func TestRetriesOfGRPC(t *testing.T) {
	m := colours()
	g := gated(m)
	s := one(m)
	s.tcp, s.options = true, service.Options{MaxInFlight: 1, MaxQueue: 1}
	r := start(t, s)
	answered := r.busy(t, 1, 1)
	conn, err := grpc.NewClient(r.target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}],
		"retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.001s", "maxBackoff": "0.001s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	time.AfterFunc(200*time.Millisecond, func() { close(g.open) })
	began := time.Now()
	if _, err := pb.NewExplainServiceClient(conn).Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("answered after %v", took)
	}
	answered()
}

// Who does not wait any more gives its place in the queue to others at once, whether it went or its deadline passed.
func TestQueueIsLeftAtOnce(t *testing.T) {
	m := colours()
	g := gated(m)
	s := one(m)
	s.options = service.Options{MaxInFlight: 1, MaxQueue: 2}
	r := start(t, s)
	answered := r.busy(t, 1, 0)
	var times []time.Duration
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		if i%2 == 1 {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		}
		done := make(chan error, 1)
		go func() {
			_, err := r.Predict(ctx, &pb.PredictRequest{Image: shade(1).image(t)})
			done <- err
		}()
		eventually(t, "it waits", func() bool { return r.service.Stats().Waiting == 1 || ctx.Err() != nil })
		if i%2 == 0 {
			cancel()
		}
		<-ctx.Done()
		gone := time.Now()
		eventually(t, "its place is free", func() bool { return r.service.Stats().Waiting == 0 })
		times = append(times, time.Since(gone))
		<-done
		cancel()
	}
	if middle(times) > 10*time.Millisecond {
		t.Errorf("places in the queue were free after %v", times)
	}
	close(g.open)
	answered()
	if m.Runs() != 1 {
		t.Errorf("%d runs, and nobody but the first waited", m.Runs())
	}
}

// Ten times as many as can be answered, all with deadlines: every call ends, as answered, refused or late; none runs after its
// deadline; what is answered is nearly as much as can be.
func TestAccounts(t *testing.T) {
	const run, callers, each = 4 * time.Millisecond, 40, 25
	m := colours()
	var late atomic.Int64
	var runs sync.Mutex                             // one at a time: a model of 250 answers a second
	m.BeforeRun = func(ctx context.Context) error { // as late as a busy machine may be between looking and running
		if deadline, ok := ctx.Deadline(); ok && time.Since(deadline) > 50*time.Millisecond {
			late.Add(1)
		}
		runs.Lock()
		defer runs.Unlock()
		time.Sleep(run)
		return nil
	}
	s := one(m)
	s.tcp, s.options = true, service.Options{MaxInFlight: 4, MaxQueue: 6}
	r := start(t, s)
	picture := shade(1).image(t)
	var ok, refused, tooShort, expired, failed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range callers {
		all.Go(func() {
			for range each {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+10*i)*time.Millisecond)
				_, err := r.Predict(ctx, &pb.PredictRequest{Image: picture})
				cancel()
				s := status.Convert(err)
				switch {
				case err == nil:
					ok.Add(1)
				case s.Code() == codes.Unavailable && detail[*errdetails.RetryInfo](s) != nil:
					refused.Add(1)
				case detail[*errdetails.ErrorInfo](s).GetReason() == "DEADLINE_TOO_SHORT":
					tooShort.Add(1)
				case s.Code() == codes.DeadlineExceeded:
					expired.Add(1)
				default:
					failed.Add(1)
					t.Error(err)
				}
				time.Sleep(8 * time.Millisecond)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	sum := ok.Load() + refused.Load() + tooShort.Load() + expired.Load() + failed.Load()
	t.Logf("in %v: %d answered, %d refused, %d with too little time, %d expired", took, ok.Load(), refused.Load(), tooShort.Load(), expired.Load())
	if sum != callers*each || ok.Load() == 0 || refused.Load() == 0 {
		t.Errorf("of %d, %d are accounted for", callers*each, sum)
	}
	eventually(t, "nothing is left", func() bool { s := r.service.Stats(); return s.InFlight == 0 && s.Waiting == 0 })
	if late.Load() > 1+expired.Load()/10 { // of those that nobody looked at, nearly all would be
		t.Errorf("%d runs began after the deadline", late.Load())
	}
}

// A request whose turn would come too late is refused at once, and told how long it would have waited.
func TestTooShortADeadline(t *testing.T) {
	m := colours()
	m.BeforeRun = func(context.Context) error { time.Sleep(50 * time.Millisecond); return nil }
	s := one(m)
	s.options = service.Options{MaxInFlight: 1, MaxQueue: 20}
	r := start(t, s)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "some have left", func() bool { return m.Runs() > 5 })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := r.Explain(ctx, &pb.ExplainRequest{Image: shade(1).image(t)})
	took := time.Since(began)
	info := detail[*errdetails.ErrorInfo](status.Convert(err))
	if status.Code(err) != codes.DeadlineExceeded || info.GetReason() != "DEADLINE_TOO_SHORT" || info.GetMetadata()["phase"] != "QUEUE" || info.GetMetadata()["estimated_wait_ms"] == "" ||
		!strings.Contains(err.Error(), "allow more time") || took > 100*time.Millisecond {
		t.Errorf("after %v: %v, %v", took, err, info)
	}
	all.Wait()
	if m.Runs() != 20 {
		t.Errorf("%d runs", m.Runs())
	}
}

// named callers: a guard as authentication would be.
func byName(o *grpcserver.Options) {
	caller := func(ctx context.Context) context.Context {
		who := metadata.ValueFromIncomingContext(ctx, "who")
		return explaind.WithCaller(ctx, explaind.Caller{Client: strings.Join(who, "")})
	}
	o.Guards.Unary = append(o.Guards.Unary, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		return h(caller(ctx), req)
	})
	o.Guards.Stream = append(o.Guards.Stream, func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		return h(srv, &callerStream{stream, caller(stream.Context())})
	})
}

type callerStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *callerStream) Context() context.Context { return s.ctx }

func as(ctx context.Context, who string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "who", who)
}

// A client with dozens of calls and ten streams under way keeps the single calls of another one waiting for a few runs, not
// for all that it sent; and its calls and streams share what is left.
func TestFairness(t *testing.T) {
	m := colours()
	var runs sync.Mutex
	m.BeforeRun = func(context.Context) error {
		runs.Lock()
		defer runs.Unlock()
		time.Sleep(2 * time.Millisecond)
		return nil
	}
	s := one(m)
	byName(&s.server)
	s.options = service.Options{MaxInFlight: 2, MaxQueue: 50}
	r := start(t, s)
	picture := shade(1).image(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var called, streamed atomic.Int64
	for range 60 {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Predict(as(ctx, "greedy"), &pb.PredictRequest{Image: picture}); err == nil {
					called.Add(1)
				} else {
					time.Sleep(100 * time.Millisecond)
				}
			}
		})
	}
	for range 10 {
		stream, _ := dialogue{r, predictTalk}.begin(t, as(ctx, "greedy"), talkConfig{})
		all.Go(func() {
			for i := int64(0); stream.item(i, picture) == nil; i++ {
			}
		})
		all.Go(func() {
			for {
				e, err := stream.hear()
				if err != nil {
					return
				}
				if e.result != nil {
					streamed.Add(1)
				}
			}
		})
	}
	eventually(t, "the queue is full", func() bool { return r.service.Stats().Waiting >= 50+30 })
	var between []int // runs from a call to its answer
	calls, items := called.Load(), streamed.Load()
	for range 30 {
		before := m.Runs()
		if _, err := r.Predict(as(t.Context(), "modest"), &pb.PredictRequest{Image: picture}); err != nil {
			t.Error(err)
		}
		between = append(between, m.Runs()-before)
	}
	calls, items = called.Load()-calls, streamed.Load()-items
	cancel()
	all.Wait()
	slices.Sort(between)
	t.Logf("runs until the answer of a modest call: %d, %d at the most; meanwhile %d calls and %d items of the greedy one", between[15], between[29], calls, items)
	if between[15] > 20 { // eighty and more are in the queue
		t.Errorf("a modest call waited for %d runs", between[15])
	}
	if calls > 2*items+20 || items > 2*calls+20 {
		t.Errorf("%d calls and %d items do not alternate", calls, items)
	}
}

// What one client may have under way, and how fast it may send.
func TestClientLimits(t *testing.T) {
	m := colours()
	g := gated(m)
	s := one(m)
	byName(&s.server)
	s.options = service.Options{MaxInFlight: 8, ClientInFlight: 2}
	r := start(t, s)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if _, err := r.Predict(as(t.Context(), "a"), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "two run", func() bool { return g.waiting.Load() == 2 })
	var trailer metadata.MD
	_, err := r.Predict(as(t.Context(), "a"), &pb.PredictRequest{Image: shade(1).image(t)}, grpc.Trailer(&trailer))
	refusal{codes.ResourceExhausted, "CLIENT_LIMIT", time.Millisecond}.check(t, err, trailer)
	if got := detail[*errdetails.QuotaFailure](status.Convert(err)).GetViolations()[0].GetSubject(); got != "client:a" {
		t.Errorf("the quota is %q's", got)
	}
	close(g.open)
	all.Wait()
	if _, err := r.Predict(as(t.Context(), "a"), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
		t.Error(err)
	}

	s = one(colours())
	s.options = service.Options{ClientRate: 5, ClientBurst: 2}
	s.tcp = true
	r = start(t, s)
	for range 2 {
		must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}))
	}
	_, err = r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}, grpc.Trailer(&trailer))
	refusal{codes.ResourceExhausted, "CLIENT_LIMIT", time.Millisecond}.check(t, err, trailer)
	if got := detail[*errdetails.QuotaFailure](status.Convert(err)).GetViolations()[0].GetSubject(); got != "client:127.0.0.1" {
		t.Errorf("the quota is %q's", got)
	}
	stream, _ := dialogue{r, predictTalk}.begin(t, t.Context(), talkConfig{})
	began := time.Now()
	for i := range int64(4) {
		stream.item(i, shade(i).image(t))
	}
	stream.CloseSend()
	if all := hearAll(t, stream); all.end != nil || all.summary.GetSucceeded() != 4 || time.Since(began) < 500*time.Millisecond {
		t.Errorf("after %v the stream ended with %v, %v", time.Since(began), all.end, all.summary)
	}
}

// A stream too many is refused; when one has ended there is room again.
func TestMaxStreams(t *testing.T) {
	s := one(colours())
	s.options.MaxStreams = 2
	r := start(t, s)
	first, _ := dialogue{r, predictTalk}.begin(t, t.Context(), talkConfig{})
	second, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{})
	if n := r.service.Stats().Streams; n != 2 {
		t.Errorf("%d streams are open", n)
	}
	end := dialogue{r, explainTalk}.end(t, talkConfig{}, shade(1).image(t))
	badRequest{code: unavailable, reason: "OVERLOADED"}.check(t, "the third", end)
	first.CloseSend()
	hearAll(t, first)
	eventually(t, "there is room", func() bool { return r.service.Stats().Streams == 1 })
	third, _ := dialogue{r, predictTalk}.begin(t, t.Context(), talkConfig{})
	for _, s := range []talk{second, third} {
		s.CloseSend()
		if all := hearAll(t, s); all.end != nil {
			t.Error(all.end)
		}
	}
}
