package grpcserver

import (
	"context"
	"net/http"
	"net/http/httptest"
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
	gone    = healthpb.HealthCheckResponse_SERVICE_UNKNOWN
	unknown = healthpb.HealthCheckResponse_UNKNOWN // never heard of
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
		loading   = explaind.ModelLoading
		ready     = explaind.ModelReady
		failed    = explaind.ModelFailed
		unloading = explaind.ModelUnloading
		unloaded  = explaind.ModelUnloaded
		service   = "explaind.v1.ExplainService"
	)
	r := start(t, Options{Services: []string{service}}, &stub{})
	client := healthpb.NewHealthClient(r.conn)
	for i, step := range []struct {
		change explaind.ModelStatus
		server healthpb.HealthCheckResponse_ServingStatus
		a, b   healthpb.HealthCheckResponse_ServingStatus
	}{
		{model("a", loading), no, no, unknown},
		{model("b", loading), no, no, no},
		{model("a", ready, loading), no, yes, no},   // b still loads
		{model("b", failed), no, yes, no},           // and will not come, but a's second version still loads
		{model("a", ready, ready), yes, yes, no},    //
		{model("b", failed, loading), yes, yes, no}, // or will it: those of a wait for nobody
		{model("b", failed, ready), yes, yes, yes},  //
		{model("a", ready, loading), yes, yes, yes}, // the old version answers meanwhile
		{model("a", unloading, ready), yes, yes, yes},
		{model("a", failed, failed), yes, no, yes}, //
		{model("b", unloading), no, no, no},        // none is left
		{model("b", unloaded), no, no, no},         //
		{model("a", failed, loading), no, no, no},  //
		{model("a", failed, failed, ready), yes, yes, no},
		{model("b"), yes, yes, gone},        // its folder was removed
		{model("a"), no, gone, gone},        //
		{model("b", loading), no, gone, no}, //
		{model("b", ready), yes, gone, yes}, // and is back
	} {
		r.Health().ModelChanged(step.change)
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
		{func() {}, gone},
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
	locked := false
	pages := http.NewServeMux()
	pages.Handle("GET /livez", Live())
	pages.Handle("GET /readyz", h.ReadyProbe(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if locked {
				http.Error(w, "locked", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}))
	probe := func(path string) (int, string) {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	failed := model("b", explaind.ModelFailed)
	failed.Versions[0].Err = explaind.Errorf(explaind.FailedPrecondition, "BAD_SAVED_MODEL", "the variables\nare missing")
	const none = "not ready: models are loading, none could be loaded, or all were unloaded\n"
	for _, step := range []struct {
		change          func()
		ready           int
		answer, details string
	}{
		{func() {}, http.StatusServiceUnavailable, none, ""},
		{func() { h.ModelChanged(model("a", explaind.ModelLoading)) }, http.StatusServiceUnavailable, none, "a version 1: loading\n"},
		{func() { h.ModelChanged(failed) }, http.StatusServiceUnavailable, none,
			"a version 1: loading\nb version 1: failed: the variables are missing (BAD_SAVED_MODEL)\n"},
		{func() { h.ModelChanged(model("a", explaind.ModelReady)) }, http.StatusOK, "ok\n",
			"a version 1: ready\nb version 1: failed: the variables are missing (BAD_SAVED_MODEL)\n"},
		{h.shutdown, http.StatusServiceUnavailable, "not ready: the server is stopping\n", ""},
	} {
		step.change()
		locked = false
		if code, body := probe("/livez"); code != http.StatusOK || body != "ok\n" {
			t.Errorf("/livez is %d %q", code, body)
		}
		if code, body := probe("/readyz?verbose"); code != step.ready || body != step.answer+step.details {
			t.Errorf("/readyz?verbose is %d %q, want %d %q", code, body, step.ready, step.answer+step.details)
		}
		locked = true
		if code, body := probe("/readyz"); code != step.ready || body != step.answer {
			t.Errorf("/readyz is %d %q, want %d %q", code, body, step.ready, step.answer)
		}
		if code, body := probe("/readyz?verbose"); code != http.StatusUnauthorized || body != "locked\n" {
			t.Errorf("with a guard, /readyz?verbose is %d %q", code, body)
		}
	}
}
