package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	r := start(t, setup{quiet: true})
	answer := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	}
	metrics := Page{Path: "/metrics", About: "metrics <&>", Handler: r.Metrics()}
	plain := Pages(Page{Path: "/livez", About: "alive", Handler: answer("ok\n")}, metrics)
	profiled := Pages(metrics, Profiles())
	const here = "there is nothing here; what there is:\n"
	for _, c := range []struct {
		pages        http.Handler
		method, path string
		code         int
		text         string
	}{
		{plain, "GET", "/livez", 200, "ok\n"},
		{plain, "GET", "/metrics", 200, "# TYPE explaind_build_info gauge\n"},
		{plain, "GET", "/", 200, `<li><a href="/livez">/livez</a>: alive</li>`},
		{plain, "GET", "/", 200, "metrics &lt;&amp;&gt;"},
		{plain, "GET", "/nothing", 404, here + "  /livez  alive\n  /metrics  metrics <&>\n"},
		{plain, "GET", "/livez/", 404, here},
		{plain, "GET", "/debug/pprof/", 404, here},
		{plain, "GET", "/debug/pprof/cmdline", 404, here},
		{plain, "POST", "/livez", 405, ""},
		{plain, "POST", "/nothing", 405, ""},
		{plain, "DELETE", "/metrics", 405, ""},
		{profiled, "GET", "/debug/pprof/", 200, "goroutine"},
		{profiled, "GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total"},
		{profiled, "GET", "/debug/pprof/cmdline", 200, ""},
		{profiled, "GET", "/debug/pprof/nothing", 404, "Unknown profile"},
		{profiled, "PUT", "/debug/pprof/profile", 405, ""},
	} {
		w := httptest.NewRecorder()
		c.pages.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %s is %d %q, want %d %q", c.method, c.path, w.Code, w.Body, c.code, c.text)
		}
	}
}

// What GET answers, HEAD answers without its text.
func TestHead(t *testing.T) {
	r := start(t, setup{quiet: true})
	server := httptest.NewServer(Pages(Page{Path: "/metrics", Handler: r.Metrics()}))
	defer server.Close()
	for path, want := range map[string]int{"/": 200, "/metrics": 200, "/gone": 404} {
		answer, err := http.Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want || len(text) != 0 {
			t.Errorf("HEAD %s is %d with %d bytes", path, answer.StatusCode, len(text))
		}
	}
	server.Client().CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
}

// Nobody holds a connection by being slow, and a profile of the usual length fits.
func TestServerIsBounded(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("the server is %+v", s)
	}
	const usual = 30 // seconds of a profile
	if s.WriteTimeout.Seconds() <= usual {
		t.Errorf("a profile is cut off after %v", s.WriteTimeout)
	}
}
