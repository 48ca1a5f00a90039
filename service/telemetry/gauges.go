package telemetry

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/explaind/explaind"
)

// gauges are looked at when a scrape asks.
type gauges struct{ sources Sources }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

var (
	queueDepth  = gauge("queue_depth", "Images that wait for a place among those that are worked on.")
	inFlight    = gauge("inflight", "Images that are worked on.")
	maxInFlight = gauge("inflight_limit", "Images of short requests that are worked on at once, at most.")
	openStreams = gauge("streams", "Streams that are open.")
	modelState  = gauge("model_state", "1 for the state that a version of a model is in, 0 for the others.", "model", "version", "state")
	tensorBytes = gauge("tensor_bytes", "Memory of tensors outside of Go's heap.")
)

// Describe is prometheus.Collector's.
func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDepth, inFlight, maxInFlight, openStreams, modelState, tensorBytes} {
		to <- d
	}
}

// Collect is prometheus.Collector's.
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := &g.sources
	if s.Load != nil {
		load := s.Load()
		put(queueDepth, float64(load.Waiting))
		put(inFlight, float64(load.InFlight))
		put(openStreams, float64(load.Streams))
	}
	if s.MaxInFlight > 0 {
		put(maxInFlight, float64(s.MaxInFlight))
	}
	if s.TensorBytes != nil {
		put(tensorBytes, float64(s.TensorBytes()))
	}
	if s.Models == nil {
		return
	}
	for _, m := range s.Models() {
		for _, v := range m.Versions {
			for state := explaind.ModelLoading; state <= explaind.ModelUnloaded; state++ {
				value := 0.0
				if v.State == state {
					value = 1
				}
				key := keyOf(m.Name, v.Version)
				put(modelState, value, key.name, key.version, strings.ToLower(state.String()))
			}
		}
	}
}
