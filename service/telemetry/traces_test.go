package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/service/grpcserver"
)

// remembered are the spans that were ended so far.
func (r *rig) remembered(exporter *tracetest.InMemoryExporter) tracetest.SpanStubs {
	r.t.Helper()
	if err := r.traces.provider.ForceFlush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	return exporter.GetSpans()
}

func named(spans tracetest.SpanStubs, name string) (found []tracetest.SpanStub) {
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// children are the spans right below one, in the order of their beginnings.
func children(spans tracetest.SpanStubs, of tracetest.SpanStub) (found []tracetest.SpanStub) {
	for _, s := range spans {
		if s.Parent.SpanID() == of.SpanContext.SpanID() {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return found
}

func names(spans []tracetest.SpanStub) (list []string) {
	for _, s := range spans {
		list = append(list, s.Name)
	}
	return list
}

func attributeOf(s tracetest.SpanStub, key attribute.Key) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.AsInterface()
		}
	}
	return nil
}

// nested checks that spans lie within their parent, one after the other.
func nested(t *testing.T, parent tracetest.SpanStub, spans []tracetest.SpanStub) {
	t.Helper()
	last := parent.StartTime
	for _, s := range spans {
		if s.StartTime.Before(last) || s.EndTime.Before(s.StartTime) || s.EndTime.After(parent.EndTime) {
			t.Errorf("%s is from %v to %v, after %v, in %s from %v to %v", s.Name, s.StartTime, s.EndTime, last, parent.Name, parent.StartTime, parent.EndTime)
		}
		last = s.EndTime
	}
}

const remoteTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// The span of a call hangs below the caller's, and has one below it for each phase.
func TestSpansOfACall(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	r := start(t, setup{exporter: exporter, options: Options{Ratio: 0}}) // the caller decides
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+remoteTrace+"-00f067aa0ba902b7-01", "x-request-id", "abc")
	_, err := r.Explain(ctx, &pb.ExplainRequest{Image: picture(t), Config: &pb.ExplainConfig{
		Methods: []pb.Method{pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_LAYER_CAM},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var spans tracetest.SpanStubs
	settled(t, "the call's span ends", func() bool { spans = r.remembered(exporter); return len(named(spans, rpcExplain)) == 1 })
	call := named(spans, rpcExplain)[0]
	if call.SpanContext.TraceID().String() != remoteTrace || call.Parent.SpanID().String() != "00f067aa0ba902b7" || !call.Parent.IsRemote() {
		t.Errorf("the call is %v below %v", call.SpanContext.TraceID(), call.Parent.SpanID())
	}
	phases := children(spans, call)
	if got := names(phases); !slices.Equal(got, []string{"queue", "decode", "batch", "backward", "render"}) {
		t.Fatalf("the phases are %q", got)
	}
	nested(t, call, phases)
	if len(spans) != 6 {
		t.Errorf("%d spans", len(spans))
	}
	for key, want := range map[attribute.Key]any{
		attrModel: "colours", attrVersion: int64(1), attrMethods: int64(2), attrRequest: "abc", attrClient: "bufconn", attrReason: nil,
	} {
		if got := attributeOf(call, key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if got := attributeOf(phases[3], attrRows); got != int64(1) {
		t.Errorf("the run has %v rows", got)
	}
	if service := call.Resource.String(); !strings.Contains(service, "service.name=explaind") || !strings.Contains(service, "service.version=v1.2.3") {
		t.Errorf("the service is %s", service)
	}
}

// Who is not asked to trace, and is not chosen, leaves nothing; nor do probes.
func TestUnsampled(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	r := start(t, setup{exporter: exporter, options: Options{Ratio: 0}})
	unwanted := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+remoteTrace+"-00f067aa0ba902b7-00")
	for _, ctx := range []context.Context{t.Context(), unwanted} {
		if _, err := r.Predict(ctx, &pb.PredictRequest{Image: picture(t)}); err != nil {
			t.Fatal(err)
		}
	}
	wanted := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+remoteTrace+"-00f067aa0ba902b7-01")
	if _, err := healthpb.NewHealthClient(r.conn).Check(wanted, &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	r.conn.Close()
	r.stop()
	<-r.done
	if spans := r.remembered(exporter); len(spans) != 0 {
		t.Errorf("there are %q", names(spans))
	}
}

// Each image of a stream has a span, with its phases below it.
func TestSpansOfAStream(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	r := start(t, setup{exporter: exporter, options: Options{Ratio: 1}})
	broken := &pb.Image{Source: &pb.Image_Encoded{Encoded: []byte("no picture")}}
	r.explainAll(t.Context(), nil, picture(t), broken, picture(t))
	var spans tracetest.SpanStubs
	settled(t, "the stream's span ends", func() bool { spans = r.remembered(exporter); return len(named(spans, rpcExplainStream)) == 1 })
	stream := named(spans, rpcExplainStream)[0]
	items := children(spans, stream)
	if len(items) != 3 || len(named(spans, "item")) != 3 {
		t.Fatalf("the stream has %q", names(items))
	}
	if got := attributeOf(stream, attrMethods); got != int64(1) {
		t.Errorf("the stream has %v methods", got)
	}
	for _, item := range items {
		phases := children(spans, item)
		if attributeOf(item, attrSequence) == int64(1) {
			if item.Status.Code != codes.Error || attributeOf(item, attrReason) != "UNSUPPORTED_FORMAT" || len(named(phases, "backward")) != 0 {
				t.Errorf("the image that is none: %v, %v, phases %q", item.Status, item.Attributes, names(phases))
			}
			continue
		}
		if got := names(phases); !slices.Equal(got, []string{"queue", "decode", "batch", "backward", "render"}) {
			t.Errorf("the phases are %q", got)
		}
		nested(t, item, phases)
		if item.Status.Code != codes.Unset || attributeOf(item, attrModel) != "colours" || item.StartTime.Before(stream.StartTime) || item.EndTime.After(stream.EndTime) {
			t.Errorf("an image: %v, %v", item.Status, item.Attributes)
		}
	}
}

// A method of many passes leaves a bounded number of spans, and says how many there would be.
func TestSpansOfManyPasses(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	r := start(t, setup{exporter: exporter, options: Options{Ratio: 1}})
	request := &pb.ExplainRequest{Image: picture(t), Config: &pb.ExplainConfig{Methods: []pb.Method{pb.Method_METHOD_RISE}}}
	if _, err := r.Explain(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	var spans tracetest.SpanStubs
	settled(t, "the call's span ends", func() bool { spans = r.remembered(exporter); return len(named(spans, rpcExplain)) == 1 })
	call := named(spans, rpcExplain)[0]
	left, _ := attributeOf(call, attrLeftOut).(int64)
	got := r.scrape()
	events := got.count("explaind_queue_wait_seconds") + got.count("explaind_decode_seconds") + got.count("explaind_render_seconds") +
		got.count("explaind_batch_wait_seconds", "model", "colours", "version", "1")
	for _, phase := range []string{"forward", "backward"} {
		events += max(got.count("explaind_run_seconds", "model", "colours", "version", "1", "phase", phase), 0)
	}
	if n := len(children(spans, call)); n != maxPhases || left <= 0 || int(left)+n != events {
		t.Errorf("%d spans and %d left out, of %d phases", n, left, events)
	}
}

// takers is a collector.
type takers struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	names []string
}

func (c *takers) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.GetResourceSpans() {
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.names = append(c.names, s.GetName())
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// Traces reach a collector over OTLP, the last of them when the server closes.
func TestExport(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taker, server := &takers{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, taker)
	go server.Serve(listener)
	defer server.Stop()
	endpoint, err := ParseEndpoint("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, setup{options: Options{Endpoint: endpoint, Ratio: 1}})
	if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: picture(t)}); err != nil {
		t.Fatal(err)
	}
	r.conn.Close()
	r.stop()
	<-r.done
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r.Close(ctx)
	slices.Sort(taker.names)
	if want := []string{"batch", "decode", rpcPredict, "forward", "queue"}; !slices.Equal(taker.names, want) {
		t.Errorf("the collector has %q, want %q", taker.names, want)
	}
}

// A collector that is not there, or never answers, delays and fails no call, and holds up the end for no longer than it is
// given. The log says it once.
func TestUnreachableCollector(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for what, address := range map[string]string{"deaf": deaf.Addr().String(), "gone": gone.Addr().String()} {
		t.Run(what, func(t *testing.T) {
			r := start(t, setup{options: Options{Endpoint: Endpoint{Address: address}, Ratio: 1}})
			image := picture(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			const calls = 1000 // about 5000 spans: more than wait for their export
			var slowest time.Duration
			for range calls {
				began := time.Now()
				if _, err := r.Predict(ctx, &pb.PredictRequest{Image: image}); err != nil {
					t.Fatal(err)
				}
				slowest = max(slowest, time.Since(began))
			}
			if slowest > 2*time.Second {
				t.Errorf("the slowest of %d calls took %v", calls, slowest)
			}
			r.conn.Close()
			r.stop()
			<-r.done
			end, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer stop()
			began := time.Now()
			r.Close(end)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the end took %v", took)
			}
			if log := r.log.String(); !strings.Contains(log, "could not be sent") {
				t.Errorf("the log does not tell of it:\n%s", log[max(0, len(log)-1000):])
			}
		})
	}
}

func TestComplaintsAreRare(t *testing.T) {
	var log lockedbuffer.Buffer
	c := &complaints{log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 100 {
		c.Handle(errors.New("no collector"))
	}
	if n := strings.Count(log.String(), "no collector"); n != 1 {
		t.Errorf("%d complaints", n)
	}
}

func TestParseEndpoint(t *testing.T) {
	for s, want := range map[string]Endpoint{
		"localhost:4317":          {Address: "localhost:4317"},
		"http://otel:4317":        {Address: "otel:4317"},
		"https://otel:4317/":      {Address: "otel:4317", TLS: true},
		"[::1]:4317":              {Address: "[::1]:4317"},
		"":                        {},
		"otel":                    {},
		":4317":                   {},
		"otel:":                   {},
		"ftp://otel:21":           {},
		"http://otel:4318/v1/tr":  {},
		"http://a:b@otel:4317":    {},
		"http://otel:4317?x=1":    {},
		"http://otel":             {},
		"http://[::1:4317":        {},
		"https://otel:4317/v1?x=": {},
	} {
		got, err := ParseEndpoint(s)
		if got != want || (err != nil) != (want == Endpoint{}) {
			t.Errorf("%q is %+v, %v, want %+v", s, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "no address of a collector") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Without an endpoint there is nothing to hear spans, and nothing to close.
func TestNoTraces(t *testing.T) {
	var o grpcserver.Options
	r := New(Options{})
	if err := r.Instrument(&o); err != nil || len(o.Extra) != 0 {
		t.Errorf("%v, %d options", err, len(o.Extra))
	}
	r.Close(t.Context())
}
