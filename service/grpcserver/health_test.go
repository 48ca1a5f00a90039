package grpcserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
)

const (
	yes     = healthpb.HealthCheckResponse_SERVING
	no      = healthpb.HealthCheckResponse_NOT_SERVING
	unknown = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
)

func model(name string, states ...explaind.ModelState) explaind.ModelStatus {
	s := explaind.ModelStatus{Name: name}
	for i, state := range states {
		s.Versions = append(s.Versions, explaind.VersionStatus{Version: int64(i + 1), State: state})
	}
	return s
}

// The health of the server, of its services and of each model, as models load, fail and are replaced.
func TestHealthFollowsTheModels(t *testing.T) {
	const (
		loading = explaind.ModelLoading
		ready   = explaind.ModelReady
		failed  = explaind.ModelFailed
		service = "explaind.v1.ExplainService"
	)
	r := start(t, Options{Services: []string{service}}, &stub{})
	client := healthpb.NewHealthClient(r.conn)
	for i, step := range []struct {
		change explaind.ModelStatus
		server healthpb.HealthCheckResponse_ServingStatus
		a, b   healthpb.HealthCheckResponse_ServingStatus
	}{
		{model("a", loading), no, no, unknown},
		{model("b", loading), no, no, unknown},
		{model("a", ready), no, yes, no},            // b still loads
		{model("b", failed), yes, yes, no},          // and will not come
		{model("b", failed, loading), no, yes, no},  // or will it
		{model("b", failed, ready), yes, yes, yes},  //
		{model("a", ready, loading), yes, yes, yes}, // the old version answers meanwhile
		{model("a", failed, failed), yes, no, yes},  //
		{model("b", failed, failed), no, no, no},    // none is left
		{model("b"), no, no, no},                    //
		{model("a", failed, failed, ready), yes, yes, no},
	} {
		r.Health().ModelChanged(step.change)
		if i == 1 {
			step.b = no
		}
		for name, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{"": step.server, service: step.server, "models/a": step.a, "models/b": step.b} {
			got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
			if want == unknown {
				if status.Code(err) != codes.NotFound {
					t.Errorf("step %d: %q is %v, %v; want NOT_FOUND", i, name, got, err)
				}
			} else if err != nil || got.GetStatus() != want {
				t.Errorf("step %d: %q is %v, %v; want %v", i, name, got, err, want)
			}
		}
		if r.Health().Ready() != (step.server == yes) {
			t.Errorf("step %d: Ready is %v", i, r.Health().Ready())
		}
	}
	r.stop()
	r.stopped(t, 5*time.Second)
	r.Health().ModelChanged(model("a", ready)) // too late
	for _, name := range []string{"", service, "models/a", "models/b"} {
		got, err := r.Health().server.Check(context.Background(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || got.GetStatus() != no {
			t.Errorf("after the stop %q is %v, %v", name, got, err)
		}
	}
	if r.Health().Ready() {
		t.Error("ready after the stop")
	}
}

func TestHealthWatch(t *testing.T) {
	r := start(t, Options{Grace: 5 * time.Second}, &stub{})
	watch, err := healthpb.NewHealthClient(r.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "models/a"})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		change func()
		want   healthpb.HealthCheckResponse_ServingStatus
	}{
		{func() {}, unknown},
		{func() { r.Health().ModelChanged(model("a", explaind.ModelLoading)) }, no},
		{func() { r.Health().ModelChanged(model("a", explaind.ModelReady)) }, yes},
		{r.stop, no},
	} {
		step.change()
		if got, err := watch.Recv(); err != nil || got.GetStatus() != step.want {
			t.Fatalf("step %d: %v, %v; want %v", i, got, err, step.want)
		}
	}
	if _, err := watch.Recv(); err == nil {
		t.Error("the watch goes on")
	}
	r.stopped(t, 5*time.Second)
}

func TestProbes(t *testing.T) {
	h := newHealth()
	probe := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.Probes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	for _, step := range []struct {
		change func()
		ready  int
	}{
		{func() {}, http.StatusServiceUnavailable},
		{func() { h.ModelChanged(model("a", explaind.ModelReady)) }, http.StatusOK},
		{h.shutdown, http.StatusServiceUnavailable},
	} {
		step.change()
		if code, body := probe("/livez"); code != http.StatusOK || body != "ok\n" {
			t.Errorf("/livez is %d %q", code, body)
		}
		if code, body := probe("/readyz"); code != step.ready || !strings.Contains(body, map[int]string{200: "ok", 503: "not ready"}[code]) {
			t.Errorf("/readyz is %d %q, want %d", code, body, step.ready)
		}
	}
	if code, _ := probe("/"); code != http.StatusNotFound {
		t.Errorf("/ is %d", code)
	}
}
