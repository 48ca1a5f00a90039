package telemetry

import (
	"context"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/orca"
)

// Load reports as the ORCA standard has them, for gRPC's policy weighted_round_robin and others like it: in the trailers of
// each call, and as a stream for clients that want to hear of the load between calls.

// namedQueue and namedCPU are the metrics that reports have besides those of the standard.
const (
	namedQueue = "queue_ms"
	namedCPU   = "cpu"
)

// unset is the value of metrics that a report leaves out.
const unset = -1

// ServerMetrics is orca.ServerMetricsProvider's.
func (l *load) ServerMetrics() *orca.ServerMetrics {
	cpu := l.cpuShare()
	return &orca.ServerMetrics{
		CPUUtilization: cpu,
		AppUtilization: l.utilisation(),
		MemUtilization: unset,
		QPS:            unset,
		EPS:            unset,
		Utilization:    map[string]float64{},
		RequestCost:    map[string]float64{},
		NamedMetrics:   map[string]float64{namedQueue: l.queueMillis(), namedCPU: cpu},
	}
}

// reportCall has the load reported at the end of a call whose images waited so long; without reports it does nothing.
func reportCall(ctx context.Context, queued time.Duration) {
	if recorder := orca.CallMetricsRecorderFromContext(ctx); recorder != nil {
		recorder.SetNamedMetric(namedQueue, float64(queued)/float64(time.Millisecond))
	}
}

// Register adds the services that the options ask for.
func (t *Telemetry) Register(r grpc.ServiceRegistrar) {
	if t.options.ORCA {
		_ = orca.Register(r, orca.ServiceOptions{ServerMetricsProvider: &t.load}) // fails only without a provider
	}
	if t.options.Channelz {
		channelz.RegisterChannelzServiceToServer(r)
	}
}
