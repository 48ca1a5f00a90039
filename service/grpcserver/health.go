package grpcserver

import (
	"sync"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/explaind/explaind"
)

// Health follows the models. "models/NAME" serves while a version of the model is ready. The whole server ("") and its
// services serve once no model is loading any more and at least one is ready: traffic that is sent by readiness then
// meets no model that loads.
type Health struct {
	server   *health.Server
	services []string

	mu     sync.Mutex
	models map[string]explaind.ModelStatus
	ready  bool
}

func newHealth(services ...string) *Health {
	h := &Health{server: health.NewServer(), services: append(services, ""), models: map[string]explaind.ModelStatus{}}
	h.publish()
	return h
}

// ModelChanged takes the status of one model.
func (h *Health) ModelChanged(status explaind.ModelStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.models == nil { // shut down
		return
	}
	h.models[status.Name] = status
	h.server.SetServingStatus("models/"+status.Name, serving(status.Ready()))
	h.ready = settled(h.models)
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

func settled(models map[string]explaind.ModelStatus) bool {
	ready := false
	for _, m := range models {
		ready = ready || m.Ready()
		for _, v := range m.Versions {
			if v.State == explaind.ModelLoading && !m.Ready() {
				return false
			}
		}
	}
	return ready
}

func serving(yes bool) healthpb.HealthCheckResponse_ServingStatus {
	if yes {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}
