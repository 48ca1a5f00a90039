// Package telemetry tells what the server does: metrics for Prometheus, traces for OpenTelemetry, the marks of a request on
// its lines of the log, and load reports for balancers. It hears of everything through interceptors around all others and
// through explaind.Observer; it changes no answer, and nothing waits for it.
package telemetry

import (
	"context"
	"log/slog"
	"net/http"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/orca"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
)

// Options configure a Telemetry. The zero value has metrics only.
type Options struct {
	Version  string       // of the program, for build_info
	Endpoint Endpoint     // where traces go; the zero Endpoint is nowhere
	Ratio    float64      // of the calls that are traced, 0 to 1, where the caller has not decided it
	ORCA     bool         // load reports in the trailers of calls, and as a service
	Channelz bool         // gRPC's own view of its connections, as a service
	Log      *slog.Logger // nil logs nothing
}

// Sources are where telemetry looks when somebody asks. Each is called by many goroutines at once; those that are nil are
// left out.
type Sources struct {
	Load        func() service.Stats
	MaxInFlight int                           // images that are worked on at once
	Models      func() []explaind.ModelStatus // all models, with their versions
	TensorBytes func() int64                  // memory of tensors outside of Go's heap, in bytes
}

// Telemetry is safe for concurrent use.
type Telemetry struct {
	metrics *metrics
	traces  *traces // nil for none
	models  models
	load    load
	options Options
}

// New returns a Telemetry that has heard of nothing yet.
func New(o Options) *Telemetry {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := &Telemetry{metrics: newMetrics(o.Version), options: o}
	t.models.metrics = t.metrics
	return t
}

// Instrument adds to the options of a gRPC server what telemetry hears it by. If there is an endpoint, traces are exported
// from now on, until Close; one that does not answer is no error.
func (t *Telemetry) Instrument(o *grpcserver.Options) error {
	o.Outer.Unary = append(o.Outer.Unary, t.metrics.calls.UnaryServerInterceptor(), t.unary)
	o.Outer.Stream = append(o.Outer.Stream, t.metrics.calls.StreamServerInterceptor(), t.stream)
	if t.options.ORCA {
		o.Extra = append(o.Extra, orca.CallMetricsServerOption(&t.load))
	}
	if t.options.Endpoint == (Endpoint{}) {
		return nil
	}
	exporter, err := t.options.Endpoint.exporter()
	if err != nil {
		return err
	}
	t.trace(exporter, o)
	return nil
}

func (t *Telemetry) trace(to sdk.SpanExporter, o *grpcserver.Options) {
	t.traces = newTraces(to, t.options)
	o.Extra = append(o.Extra, grpc.StatsHandler(t.traces.handler()))
}

// Watch takes the sources, once. Before, there are no gauges.
func (t *Telemetry) Watch(s Sources) {
	t.load.watch(s)
	t.metrics.registry.MustRegister(&gauges{sources: s})
}

// Metrics answers scrapes.
func (t *Telemetry) Metrics() http.Handler { return t.metrics.handler(t.options.Log) }

// Close sends the traces that are left. It returns when ctx ends, at the latest; what could not be sent by then is lost.
func (t *Telemetry) Close(ctx context.Context) {
	if t.traces == nil {
		return
	}
	if err := t.traces.close(ctx); err != nil {
		t.options.Log.Warn("the last traces could not be sent", "error", err)
	}
}
