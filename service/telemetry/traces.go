package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"

	"github.com/explaind/explaind"
)

// exportTimeout bounds one attempt to send a batch of spans.
const exportTimeout = 5 * time.Second

// Endpoint is a collector that takes OTLP over gRPC.
type Endpoint struct {
	Address string // HOST:PORT
	TLS     bool   // with the authorities of this machine
}

// ParseEndpoint reads HOST:PORT or http://HOST:PORT, which are plain text, or https://HOST:PORT.
func ParseEndpoint(s string) (Endpoint, error) {
	e := Endpoint{Address: s}
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		switch {
		case err != nil:
			return Endpoint{}, fmt.Errorf("%q is no address of a collector: %w", s, err)
		case u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "":
			return Endpoint{}, fmt.Errorf("%q is no address of a collector; give HOST:PORT, http://HOST:PORT or https://HOST:PORT", s)
		}
		e = Endpoint{Address: u.Host, TLS: u.Scheme == "https"}
	}
	if host, port, err := net.SplitHostPort(e.Address); err != nil || host == "" || port == "" {
		return Endpoint{}, fmt.Errorf("%q is no address of a collector; give HOST:PORT, usually with the port 4317", s)
	}
	return e, nil
}

// exporter connects when there is something to send.
func (e Endpoint) exporter() (sdk.SpanExporter, error) {
	transport := otlptracegrpc.WithInsecure()
	if e.TLS {
		transport = otlptracegrpc.WithTLSCredentials(credentials.NewTLS(nil))
	}
	return otlptracegrpc.New(context.Background(), otlptracegrpc.WithEndpoint(e.Address), transport, otlptracegrpc.WithTimeout(exportTimeout))
}

// traces makes spans. They wait in a bounded queue for their export, by a goroutine of its own: those for which there is no
// room are dropped.
type traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	exporter sdk.SpanExporter
}

func newTraces(exporter sdk.SpanExporter, o Options) *traces {
	sayOnce := &complaints{log: o.Log}
	otel.SetErrorHandler(sayOnce) // the only way; without it, the library prints to standard error
	of, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", "explaind"), attribute.String("service.version", o.Version)),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil { // of a part; the rest is there
		sayOnce.Handle(err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Ratio))),
		sdk.WithResource(of),
		sdk.WithBatcher(exporter, sdk.WithExportTimeout(exportTimeout)),
	)
	return &traces{provider, provider.Tracer("github.com/explaind/explaind/service/telemetry"), exporter}
}

// close sends what is left until ctx ends.
func (t *traces) close(ctx context.Context) error {
	err := t.provider.Shutdown(ctx)
	if err != nil { // an export is under way and others wait; the provider itself would go on with them
		_ = t.exporter.Shutdown(ctx) // the error is the same
	}
	return err
}

// handler makes the span of each call, below that of the caller where the metadata name one (W3C Trace Context).
func (t *traces) handler() stats.Handler {
	return otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelgrpc.WithMeterProvider(noop.NewMeterProvider()), // metrics are Prometheus'
		otelgrpc.WithFilter(func(info *stats.RPCTagInfo) bool { return !isHealth(info.FullMethodName) }),
	)
}

// phase makes the span of a phase, which is over.
func (t *traces) phase(of trace.Span, e explaind.Event) {
	options := []trace.SpanStartOption{trace.WithTimestamp(e.Began)}
	if e.Rows > 0 {
		options = append(options, trace.WithAttributes(attrRows.Int(e.Rows)))
	}
	_, span := t.tracer.Start(trace.ContextWithSpan(context.Background(), of), string(e.Phase), options...)
	span.End(trace.WithTimestamp(e.Began.Add(e.Took)))
}

// complainEvery is how often the log has that traces cannot be sent.
const complainEvery = time.Minute

// complaints are what goes wrong with traces: it is worth a line now and then, and nothing else.
type complaints struct {
	log  *slog.Logger
	last atomic.Int64 // Unix time, in nanoseconds
}

// Handle is otel.ErrorHandler's.
func (c *complaints) Handle(err error) {
	now, last := time.Now().UnixNano(), c.last.Load()
	if now-last < int64(complainEvery) || !c.last.CompareAndSwap(last, now) {
		return
	}
	c.log.Warn("traces are lost", "error", err)
}
