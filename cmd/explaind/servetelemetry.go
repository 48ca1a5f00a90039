package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/auth"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/telemetry"
	"github.com/explaind/explaind/tfmodel"
)

// endpointVariables name the collector where OpenTelemetry's own tools look for it, the most special one first.
var endpointVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

// flushTimeout is how long a stop waits for the last traces.
const flushTimeout = 3 * time.Second

// telemetryFlags say what the server tells about its work.
type telemetryFlags struct {
	logFormat, logLevel   string
	endpoint              string
	ratio                 float64
	pprof, channelz, orca bool
}

func (f *telemetryFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log, text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
	flags.StringVar(&f.endpoint, "otlp-endpoint", "", "`HOST:PORT` of an OpenTelemetry collector that takes traces over gRPC; https://HOST:PORT for TLS; without it, the environment's "+endpointVariables[1])
	flags.Float64Var(&f.ratio, "trace-ratio", 1, "`SHARE` of the calls that are traced, 0 to 1, where the caller has not decided it")
	flags.BoolVar(&f.pprof, "pprof", false, "profiles of the process at /debug/pprof/ of the HTTP port")
	flags.BoolVar(&f.channelz, "channelz", false, "gRPC's view of its connections, as the service grpc.channelz.v1.Channelz")
	flags.BoolVar(&f.orca, "orca", false, "load reports for clients that balance by load (ORCA), in trailers and as a service")
}

func (f *telemetryFlags) apply(c *config, stderr io.Writer) (err error) {
	var bad problems
	c.log, err = newLogger(f.logFormat, f.logLevel, stderr)
	bad.add(err)
	endpoint, err := f.collector()
	bad.add(err)
	if !(f.ratio >= 0 && f.ratio <= 1) {
		bad.add(fmt.Errorf("--trace-ratio %v is no share; give a number from 0 to 1", f.ratio))
	}
	c.pprof = f.pprof
	c.telemetry = telemetry.New(telemetry.Options{
		Version: strings.TrimSuffix(version(), " "+runtime.Version()), Endpoint: endpoint, Ratio: f.ratio, ORCA: f.orca, Channelz: f.channelz, Log: c.log,
	})
	return bad.err()
}

// collector is where traces go, by the flag or else by the environment.
func (f *telemetryFlags) collector() (e telemetry.Endpoint, err error) {
	from, address := "--otlp-endpoint", f.endpoint
	for _, variable := range endpointVariables {
		if address == "" {
			from, address = variable, os.Getenv(variable)
		}
	}
	if address == "" {
		return e, nil
	}
	if e, err = telemetry.ParseEndpoint(address); err != nil {
		err = fmt.Errorf("%s: %w", from, err)
	}
	return e, err
}

func newLogger(format, level string, to io.Writer) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is not known; choose among debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: least, ReplaceAttr: durationsInWords}
	switch format {
	case "text":
		return slog.New(telemetry.Marked(slog.NewTextHandler(to, options))), nil
	case "json":
		return slog.New(telemetry.Marked(slog.NewJSONHandler(to, options))), nil
	default:
		return nil, fmt.Errorf("--log-format %q is not known; choose text or json", format)
	}
}

// durationsInWords writes 249ms where JSON would have a number without a unit.
func durationsInWords(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// instrument lets telemetry hear of the server, and of its models.
func (c *config) instrument(o *grpcserver.Options) error {
	if c.telemetry == nil {
		return nil
	}
	c.batch.Ran = c.telemetry.Ran
	o.DrainDelay = c.drainDelay
	return c.telemetry.Instrument(o)
}

// timed tells telemetry how long it takes to open a model.
func (c *config) timed(open repository.OpenFunc) repository.OpenFunc {
	if c.telemetry == nil {
		return open
	}
	return func(ctx context.Context, dir string) (explaind.Model, error) {
		began := time.Now()
		m, err := open(ctx, dir)
		if err == nil || ctx.Err() == nil { // else it was broken off
			c.telemetry.Loaded(time.Since(began), err)
		}
		return m, err
	}
}

// reveal shows telemetry what it looks at when it is asked.
func (c *config) reveal(s *server, answers *service.Service) {
	if c.telemetry == nil {
		return
	}
	s.models.Listen(c.telemetry.ModelChanged)
	c.telemetry.Watch(telemetry.Sources{
		Load: answers.Stats, MaxInFlight: answers.MaxInFlight(), Models: s.models.List, TensorBytes: tfmodel.TensorBytes,
	})
	c.telemetry.Register(s.grpc.Registrar())
}

// flush sends the last traces.
func (c *config) flush() {
	if c.telemetry == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	c.telemetry.Close(ctx)
}

// web is what the HTTP port answers. Probes are open to all, the rest to those who have the group metrics.
func (c *config) web(s *server) http.Handler {
	guarded := func(h http.Handler) http.Handler { return h }
	if c.guard != nil {
		guarded = func(h http.Handler) http.Handler { return c.guard.Protect(h, auth.Metrics) }
	}
	pages := []telemetry.Page{
		{Path: "/livez", About: "whether the process answers", Handler: grpcserver.Live()},
		{Path: "/readyz", About: "whether it takes calls; ?verbose tells of each model", Handler: s.grpc.Health().ReadyProbe(guarded)},
	}
	if c.telemetry != nil {
		pages = append(pages, telemetry.Page{Path: "/metrics", About: "metrics for Prometheus", Handler: guarded(c.telemetry.Metrics())})
	}
	if c.pprof {
		profiles := telemetry.Profiles()
		profiles.Handler = guarded(profiles.Handler)
		pages = append(pages, profiles)
	}
	return telemetry.Pages(pages...)
}
