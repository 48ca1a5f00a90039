package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/credentials/insecure"
)

// get is the answer of the HTTP port.
func (s *served) get(path string, header ...string) (code int, text string) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+s.http+path, nil)
	must(s.t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	must(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(s.t, err)
	return answer.StatusCode, string(body)
}

// What a server does is on its HTTP port, and in its log.
func TestServeIsObserved(t *testing.T) {
	r := newRig(t, "colours", "broken")
	s := r.serve("--models", r.models, "--log-level", "debug")
	s.wait("msg=ready")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", s.grpc, "--model", "colours").want(t, statusGood)
	s.wait(`msg="finished call" grpc.service=explaind.v1.ExplainService grpc.method=Predict\S* grpc.code=OK .*request_id=\S+ client=127.0.0.1`)

	_, text := s.get("/metrics")
	for _, want := range []string{
		`explaind_model_state{model="broken",state="failed",version="1"} 1`,
		`explaind_model_load_seconds_count{result="ok"} 1`,
		`explaind_model_load_seconds_count{result="failed"} 1`,
		`explaind_queue_depth 0`, `explaind_inflight 0`, `explaind_tensor_bytes `, `explaind_build_info{go="go1`,
		`explaind_decode_seconds_count 1`, `explaind_queue_wait_seconds_count 1`, `explaind_batch_size_sum 1`,
		`go_goroutines `, `process_resident_memory_bytes `, `grpc_server_handled_total{`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if !regexp.MustCompile(`explaind_requests_total\{code="OK",reason="",rpc="explaind.v1.ExplainService/Predict\w*"\} 1`).MatchString(text) {
		t.Errorf("the request is not counted:\n%s", text)
	}
	for path, want := range map[string]string{
		"/":                `href="/metrics"`,
		"/nothing":         "what there is",
		"/debug/pprof/":    "what there is",
		"/readyz?verbose":  "broken version 1: failed: the variables are missing (BAD_SAVED_MODEL)\ncolours version 1: ready\n",
		"/debug/pprof/cmd": "what there is",
	} {
		if _, text := s.get(path); !strings.Contains(text, want) {
			t.Errorf("%s is %q, without %q", path, text, want)
		}
	}
	s.stop()
	s.ended(statusGood)
}

// What shows more than whether the server is well is for those who have the group.
func TestMetricsAreGuarded(t *testing.T) {
	r := newRig(t, "colours")
	tokens := write(t, filepath.Join(t.TempDir(), "tokens.yaml"), `
- name: prometheus
  token: scrape-scrape-scrape-scrape-scrape-1
  groups: [metrics]
- name: caller
  token: caller-caller-caller-caller-caller-1
  groups: [predict, explain, models, admin]
`)
	s := r.serve("--models", r.models, "--tokens", tokens, "--pprof")
	s.wait("msg=ready")
	for _, c := range []struct {
		path, token string
		code        int
	}{
		{"/livez", "", 200}, {"/readyz", "", 200}, {"/", "", 200},
		{"/metrics", "", 401}, {"/readyz?verbose", "", 401}, {"/debug/pprof/", "", 401}, {"/debug/pprof/heap", "", 401},
		{"/metrics", "caller-caller-caller-caller-caller-1", 403},
		{"/metrics", "scrape-scrape-scrape-scrape-scrape-1", 200},
		{"/readyz?verbose", "scrape-scrape-scrape-scrape-scrape-1", 200},
		{"/debug/pprof/heap", "scrape-scrape-scrape-scrape-scrape-1", 200},
	} {
		header := []string{"Authorization", "Bearer " + c.token}
		if c.token == "" {
			header = nil
		}
		if code, text := s.get(c.path, header...); code != c.code {
			t.Errorf("%s with the token %q is %d %q, want %d", c.path, c.token, code, text, c.code)
		}
	}
	// A call that is refused before it is read is counted too.
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", s.grpc, "--model", "colours").want(t, statusNotStarted, "TOKEN_MISSING")
	if _, text := s.get("/metrics", "Authorization", "Bearer scrape-scrape-scrape-scrape-scrape-1"); !strings.Contains(text, `explaind_requests_total{code="Unauthenticated",reason="TOKEN_MISSING",rpc="denied"}`) {
		t.Errorf("the denied call is not counted:\n%s", text)
	}
	s.stop()
	s.ended(statusGood)
}

// The server says within 100 ms of the signal that it is not ready, and goes on to take calls for the delay.
func TestDrainDelay(t *testing.T) {
	r := newRig(t, "colours")
	s := r.serve("--models", r.models, "--drain-delay", "2s", "--channelz", "--orca")
	s.wait("msg=ready")
	connection, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer connection.Close()
	servers, err := grpc_channelz_v1.NewChannelzClient(connection).GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	if err != nil || len(servers.GetServer()) == 0 {
		t.Errorf("channelz: %v, %v", servers, err)
	}
	began := time.Now()
	s.stop()
	s.wait("msg=stopping delay=2s")
	for s.probe("/readyz") != http.StatusServiceUnavailable {
		if time.Since(began) > time.Second { // 100 ms on a machine that has nothing else to do
			t.Fatal("it is still ready")
		}
	}
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	if took := time.Since(began); took < time.Second {
		r.run("predict", picture, "--server", s.grpc, "--model", "colours").want(t, statusGood)
	}
	s.ended(statusGood)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it ended after %v", took)
	}
}

// A collector that is not there holds up neither calls nor the end.
func TestServeWithoutCollector(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gone.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+gone.Addr().String())
	r := newRig(t, "colours")
	s := r.serve("--models", r.models, "--log-level", "debug")
	s.wait("msg=ready")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", s.grpc, "--model", "colours").want(t, statusGood)
	s.wait(`msg="finished call" .*trace_id=\w{32} span_id=\w{16}`)
	began := time.Now()
	s.stop()
	s.ended(statusGood)
	if took := time.Since(began); took > 2*flushTimeout {
		t.Errorf("the end took %v", took)
	}
}

func TestTelemetryFlags(t *testing.T) {
	r := newRig(t, "colours")
	for _, c := range []struct {
		args []string
		text []string
	}{
		{[]string{"--otlp-endpoint", "nowhere"}, []string{`--otlp-endpoint: "nowhere" is no address of a collector`, "4317"}},
		{[]string{"--trace-ratio", "1.5"}, []string{"--trace-ratio 1.5 is no share", "0 to 1"}},
		{[]string{"--trace-ratio", "NaN"}, []string{"--trace-ratio NaN is no share"}},
		{[]string{"--log-level", "loud", "--trace-ratio", "7"}, []string{"--log-level", "--trace-ratio 7"}},
	} {
		r.run(append([]string{"serve", "--models", r.models}, c.args...)...).want(t, statusNotStarted, c.text...)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://x:1")
	r.run("serve", "--models", r.models).want(t, statusNotStarted, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ")
}

// Durations have their unit in both forms of the log, in groups as well.
func TestLogDurations(t *testing.T) {
	for format, want := range map[string][]string{"text": {"took=249ms", "a.wait=1.5s"}, "json": {`"took":"249ms"`, `"a":{"wait":"1.5s"}`}} {
		var out strings.Builder
		log, err := newLogger(format, "info", &out)
		must(t, err)
		log.Info("done", "took", 249*time.Millisecond, slog.Group("a", "wait", 1500*time.Millisecond))
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: got %s, without %s", format, out.String(), text)
			}
		}
	}
}
