package grpcserver

import (
	"sync"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/explaind/explaind"
)

// Health follows the models. "models/NAME" serves while a version of the model is ready, and is unknown when the model is
// gone. The whole server ("") and its services serve once no version is loading any more and at least one is ready: traffic
// that is sent by readiness then meets no model, version or label that loads. From then on they serve as long as any model does: models that
// come later, or are tried again, do not take the others away from their callers.
type Health struct {
	server   *health.Server
	services []string

	mu     sync.Mutex
	models map[string]explaind.ModelStatus
	begun  bool // the models of the start were loaded
	ready  bool
}

func newHealth(services ...string) *Health {
	h := &Health{server: health.NewServer(), services: append(services, ""), models: map[string]explaind.ModelStatus{}}
	h.publish()
	return h
}

// ModelChanged takes the status of one model; one without versions is gone.
func (h *Health) ModelChanged(status explaind.ModelStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.models == nil { // shut down
		return
	}
	if len(status.Versions) == 0 {
		delete(h.models, status.Name)
		h.server.SetServingStatus("models/"+status.Name, healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
	} else {
		h.models[status.Name] = status
		h.server.SetServingStatus("models/"+status.Name, serving(status.Ready()))
	}
	ready, loading := summary(h.models)
	h.begun = h.begun || ready && !loading
	h.ready = h.begun && ready
	h.publish()
}

// Ready is the health of the whole server.
func (h *Health) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready
}

func (h *Health) publish() {
	for _, s := range h.services {
		h.server.SetServingStatus(s, serving(h.ready))
	}
}

// shutdown makes everything not serving, for good.
func (h *Health) shutdown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = false
	h.server.Shutdown()
	h.models = nil
}

// summary tells whether any model is ready, and whether any version may soon be.
func summary(models map[string]explaind.ModelStatus) (ready, loading bool) {
	for _, m := range models {
		ready = ready || m.Ready()
		for _, v := range m.Versions {
			loading = loading || v.State == explaind.ModelLoading
		}
	}
	return ready, loading
}

func serving(yes bool) healthpb.HealthCheckResponse_ServingStatus {
	if yes {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}
