package telemetry

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

// Page is one path of the HTTP port. If it ends in a slash, its handler answers all that lies below, too.
type Page struct {
	Path    string
	About   string // one line, for the index
	Handler http.Handler
}

// Profiles are Go's profiles of the process. They show how the program works, and taking one costs time: they belong behind a
// guard.
func Profiles() Page {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return Page{Path: "/debug/pprof/", About: "profiles of the process", Handler: mux}
}

// Pages is a handler of the pages, of an index of them at "/", and of everything else, which is not there. They answer GET
// and HEAD. The order is that of the index.
func Pages(pages ...Page) http.Handler {
	mux := http.NewServeMux()
	var index, list strings.Builder
	index.WriteString("<!DOCTYPE html>\n<title>explaind</title>\n<h1>explaind</h1>\n<ul>\n")
	for _, p := range pages {
		mux.Handle("GET "+p.Path, p.Handler)
		path := html.EscapeString(p.Path)
		fmt.Fprintf(&index, "<li><a href=\"%s\">%s</a>: %s</li>\n", path, path, html.EscapeString(p.About))
		fmt.Fprintf(&list, "  %s  %s\n", p.Path, p.About)
	}
	index.WriteString("</ul>\n")
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, index.String())
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is nothing here; what there is:\n"+list.String(), http.StatusNotFound)
	})
	return mux
}

// Bounds of HTTP, so that nobody holds connections by being slow. Writing includes the time in which an answer is made: that
// of a profile over 30 seconds, the usual length.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// NewServer is a server of the handler. The log gets what its connections complain of, at debug.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
