package telemetry

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace is the prefix of all names of our own.
const namespace = "explaind"

// seconds are the buckets of times: from 0.1 ms, less than any phase takes that matters, to 100 s, as long as anybody waits.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 50, 100}

// rows are the buckets of batches.
var rows = []float64{1, 2, 4, 8, 16, 32, 64, 128}

// metrics are all that is counted and timed. What is only looked at is in gauges. Every label has few values: names of
// methods and reasons are the server's own words, and models are those that exist.
type metrics struct {
	registry *prometheus.Registry
	calls    *grpcprom.ServerMetrics // grpc_server_…
	reasons  reasons

	requests     *prometheus.CounterVec // rpc, code, reason
	items        *prometheus.CounterVec // rpc, code, reason
	itemSeconds  *prometheus.HistogramVec
	shed         *prometheus.CounterVec // reason
	answered     *prometheus.CounterVec // model, version, rpc, code
	explanations *prometheus.CounterVec // method

	queueWait, decode, render prometheus.Histogram
	batchWait                 *prometheus.HistogramVec // model, version
	run                       *prometheus.HistogramVec // model, version, phase
	batchSize, batchRequests  prometheus.Histogram

	loadSeconds *prometheus.HistogramVec // result
	reloads     *prometheus.CounterVec   // model, result
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram(grpcprom.WithHistogramOpts(&prometheus.HistogramOpts{
			Name: "grpc_server_handling_seconds", Help: "Time from the beginning of a call to its end, by the server.", Buckets: seconds,
		}))),
	}
	f := factory{m.registry}
	m.requests = f.counters("requests_total", "Calls that ended, without health checks. A stream is one call.", "rpc", "code", "reason")
	m.items = f.counters("items_total", "Images of streams that ended, each with the answer that it got.", "rpc", "code", "reason")
	m.itemSeconds = f.times("item_seconds", "Time from the reading of a stream's image to the sending of its answer.", "rpc")
	m.shed = f.counters("shed_total", "Calls and images of streams that were refused because of load: the queue was full, the deadline came too early, the client's quota was used up, or the server was stopping.", "reason")
	m.answered = f.counters("answers_total", "Calls and images of streams by the version of a model that they were for, once it was found.", "model", "version", "rpc", "code")
	m.explanations = f.counters("explanations_total", "Explanations in answers.", "method")
	m.queueWait = f.time("queue_wait_seconds", "Time that an image waited for a place among those that are worked on.")
	m.decode = f.time("decode_seconds", "Time from an image's bytes to the model's input.")
	m.render = f.time("render_seconds", "Time from raw maps to values and pictures.")
	m.batchWait = f.times("batch_wait_seconds", "Time that the rows of one request waited for a run of the model to begin.", "model", "version")
	m.run = f.times("run_seconds", "Time of a run of the model, as each request saw it: those that shared a run count it each.", "model", "version", "phase")
	m.batchSize = f.histogram("batch_size", "Rows that one run of a model had, over all models.", rows)
	m.batchRequests = f.histogram("batch_requests", "Requests that shared one run of a model, over all models.", rows)
	m.loadSeconds = f.times("model_load_seconds", "Time that opening a model took.", "result")
	m.reloads = f.counters("model_reload_total", "Versions of a model that were loaded, or could not be.", "model", "result")

	for _, reason := range []string{shedQueueFull, shedDeadline, shedQuota, shedDraining} {
		m.shed.WithLabelValues(reason) // 0 from the beginning, so that rates of rare events are right
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.calls, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler answers scrapes, a few at a time.
func (m *metrics) handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second, EnableOpenMetrics: true,
	})
}

// factory makes and registers metrics of our own.
type factory struct{ registry *prometheus.Registry }

func (f factory) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.registry.MustRegister(c)
	return c
}

func (f factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(histogramOptions(name, help, buckets))
	f.registry.MustRegister(h)
	return h
}

func (f factory) time(name, help string) prometheus.Histogram {
	return f.histogram(name, help, seconds)
}

func (f factory) times(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(histogramOptions(name, help, seconds), labels)
	f.registry.MustRegister(h)
	return h
}

// histogramOptions are those of a histogram with buckets, which is also a native one for scrapers that ask for it.
func histogramOptions(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
}
