package telemetry

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service/grpcserver"
)

// failing is a model whose runs fail in one way and panic in another.
func failing(how string) observed {
	m := fakemodel.New(4, "red", "green", "blue")
	m.BeforeRun = func(context.Context) error {
		if how == "panic" {
			panic("secret of the runtime")
		}
		return errors.New("disk on fire")
	}
	return observed{m}
}

// lines are those of the log that hold a text.
func (r *rig) lines(text string) (found []string) {
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// namedAlice is a guard that gives every caller a name.
var namedAlice = grpcserver.Interceptors{
	Unary: []grpc.UnaryServerInterceptor{func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return handler(explaind.WithCaller(ctx, explaind.Caller{Client: "alice"}), req)
	}},
}

// The id of a request stands on every line about it: the cause of its failure, the panic, the end. So do the caller's name
// and the trace.
func TestRequestIDOnEveryLine(t *testing.T) {
	for how, cause := range map[string]string{"fails": "disk on fire", "panic": "secret of the runtime"} {
		t.Run(how, func(t *testing.T) {
			exporter := tracetest.NewInMemoryExporter()
			r := start(t, setup{models: map[string]explaind.Model{"colours": failing(how)}, exporter: exporter, options: Options{Ratio: 1},
				server: grpcserver.Options{Guards: namedAlice}})
			var header metadata.MD
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "order-66", "authorization", "Bearer hush")
			_, err := r.Predict(ctx, &pb.PredictRequest{Image: picture(t)}, grpc.Header(&header))
			if status.Code(err) != codes.Internal || requestInfo(err) != "order-66" {
				t.Errorf("the caller gets %v with the id %q", err, requestInfo(err))
			}
			if got := header.Get("x-request-id"); len(got) != 1 || got[0] != "order-66" {
				t.Errorf("the header is %q", got)
			}
			settled(t, "the call is logged", func() bool { return len(r.lines("finished call")) == 1 })
			for _, text := range []string{cause, "finished call"} {
				found := r.lines(text)
				if len(found) == 0 {
					t.Errorf("no line has %q:\n%s", text, r.log)
				}
				for _, line := range found {
					for _, want := range []string{"request_id=order-66", "client=alice", "trace_id=", "span_id="} {
						if strings.Count(line, want) != 1 {
							t.Errorf("the line lacks %s: %s", want, line)
						}
					}
				}
			}
			end := r.lines("finished call")[0]
			for _, want := range []string{"level=ERROR", "grpc.method=Predict", "grpc.code=Internal", "reason=", "grpc.time_ms=", "peer.address=bufconn"} {
				if !strings.Contains(end, want) {
					t.Errorf("the last line lacks %s: %s", want, end)
				}
			}
			if strings.Contains(r.log.String(), "hush") {
				t.Errorf("the log has credentials:\n%s", r.log)
			}
		})
	}
}

func requestInfo(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RequestInfo); ok {
			return info.GetRequestId()
		}
	}
	return ""
}

// Lines about an image of a stream have its sequence too, and its error has the id.
func TestSequenceOnTheLines(t *testing.T) {
	r := start(t, setup{models: map[string]explaind.Model{"colours": failing("fails")}})
	stream, err := r.ExplainStream(metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "many"))
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(explainConfig("colours"))
	stream.Send(explainItem(7, picture(t)))
	stream.Send(explainItem(8, picture(t)))
	stream.CloseSend()
	failed := 0
	for {
		m, err := stream.Recv()
		if err != nil {
			break
		}
		if s := m.GetError().GetStatus(); s != nil {
			failed++
			if got := requestInfo(status.ErrorProto(s)); got != "many" {
				t.Errorf("the error of an image has the id %q: %v", got, s)
			}
		}
	}
	if failed != 2 {
		t.Fatalf("%d images failed", failed)
	}
	if got := must(t)(stream.Header()).Get("x-request-id"); len(got) != 1 || got[0] != "many" {
		t.Errorf("the header is %q", got)
	}
	causes := r.lines("disk on fire")
	all := strings.Join(causes, "")
	if len(causes) != 2 || strings.Count(all, "request_id=many") != 2 || strings.Count(all, "sequence=7") != 1 || strings.Count(all, "sequence=8") != 1 {
		t.Errorf("the causes are logged as\n%s", all)
	}
}

// Callers get an id if they have none, or none that may stand in a log; no two the same.
func TestIDsThatAreNotSane(t *testing.T) {
	r := start(t, setup{})
	seen := map[string]bool{}
	made := regexp.MustCompile(`^[A-Z2-7]{26}$`)
	for _, given := range [][]string{
		nil, {""}, {"two words"}, {"line\tbreak"}, {`quo"te`}, {"a/../b"}, {"ümlaut"}, {strings.Repeat("a", 129)}, {"one", "two"}, {"$(id)"}, {"<b>"},
	} {
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{"x-request-id": given})
		var header metadata.MD
		if _, err := r.ListModels(ctx, &pb.ListModelsRequest{}, grpc.Header(&header)); err != nil && status.Code(err) != codes.Internal {
			t.Fatal(err)
		} else if err != nil { // the client does not send such text
			continue
		}
		got := header.Get("x-request-id")
		if len(got) != 1 || !made.MatchString(got[0]) || seen[got[0]] {
			t.Errorf("%q becomes %q", given, got)
		}
		seen[got[0]] = true
	}
	for _, given := range []string{"a", strings.Repeat("a", 128), "4bf92f35-77b3-4da6", "user@host:1.2_3+4="} {
		var header metadata.MD
		r.ListModels(metadata.AppendToOutgoingContext(t.Context(), "x-request-id", given), &pb.ListModelsRequest{}, grpc.Header(&header))
		if got := header.Get("x-request-id"); len(got) != 1 || got[0] != given {
			t.Errorf("%q becomes %q", given, got)
		}
	}
}

// Errors that the caller can mend say all themselves.
func TestRequestInfoOfInternalErrorsOnly(t *testing.T) {
	r := start(t, setup{})
	_, err := r.Predict(t.Context(), &pb.PredictRequest{Model: "gone"})
	if err == nil || requestInfo(err) != "" {
		t.Errorf("%v with the id %q", err, requestInfo(err))
	}
}

func must(t *testing.T) func(metadata.MD, error) metadata.MD {
	return func(md metadata.MD, err error) metadata.MD {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return md
	}
}

// Answers that ask the caller to try again carry the id in their trailer: gRPC retries only those without a header. So a
// client with a retry policy gets its answer, unary or not.
func TestRetriesGoThrough(t *testing.T) {
	r := start(t, setup{server: grpcserver.Options{Guards: busyAtFirst()}})
	retrying, err := grpc.NewClient(target, append(r.dial, grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "retryPolicy": {
		"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`))...)
	if err != nil {
		t.Fatal(err)
	}
	defer retrying.Close()
	client := pb.NewExplainServiceClient(retrying)
	if _, err := client.ListModels(t.Context(), &pb.ListModelsRequest{}); err != nil {
		t.Errorf("unary: %v", err)
	}
	stream, err := client.ExplainStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(explainConfig("colours"))
	stream.CloseSend()
	if m, err := stream.Recv(); err != nil || m.GetStarted() == nil {
		t.Errorf("stream: %v, %v", m, err)
	}
	for range 2 {
		stream.Recv()
	}
	if got := must(t)(stream.Header()).Get("x-request-id"); len(got) != 1 {
		t.Errorf("the header has %q", got)
	}
	var header, trailer metadata.MD
	_, err = r.GetModel(t.Context(), &pb.GetModelRequest{}, grpc.Header(&header), grpc.Trailer(&trailer)) // busy for this client
	if status.Code(err) != codes.Unavailable || len(header.Get("x-request-id")) != 0 || len(trailer.Get("x-request-id")) != 1 {
		t.Errorf("%v, header %v, trailer %v", err, header, trailer)
	}
}

// busyAtFirst refuses the first call of each method.
func busyAtFirst() grpcserver.Interceptors {
	var seen sync.Map
	check := func(method string) error {
		if _, again := seen.LoadOrStore(method, true); again {
			return nil
		}
		return &explaind.Error{Code: explaind.Unavailable, Reason: "OVERLOADED", Message: "busy", RetryAfter: time.Millisecond}
	}
	return grpcserver.Interceptors{
		Unary: []grpc.UnaryServerInterceptor{func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := check(info.FullMethod); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}},
		Stream: []grpc.StreamServerInterceptor{func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := check(info.FullMethod); err != nil {
				return err
			}
			return handler(srv, stream)
		}},
	}
}
