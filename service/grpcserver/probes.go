package grpcserver

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/explaind/explaind"
)

// Live is the probe that only says that the process answers.
func Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
}

// ReadyProbe follows Health, in one line. With the parameter "verbose" details go on with it, which name the models; protect
// guards them, nil lets everybody see them.
func (h *Health) ReadyProbe(protect func(http.Handler) http.Handler) http.Handler {
	details := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { h.answer(w, true) }))
	if protect != nil {
		details = protect(details)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("verbose") {
			details.ServeHTTP(w, r)
			return
		}
		h.answer(w, false)
	})
}

func (h *Health) answer(w http.ResponseWriter, verbose bool) {
	h.mu.Lock()
	ready, stopping, models := h.ready, h.models == nil, maps.Clone(h.models)
	h.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case ready:
		fmt.Fprintln(w, "ok")
	case stopping:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not ready: the server is stopping")
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not ready: models are loading, none could be loaded, or all were unloaded")
	}
	if verbose {
		for _, name := range slices.Sorted(maps.Keys(models)) {
			describe(w, models[name])
		}
	}
}

// describe has one line for each version of a model: which one, where it stands, and why it failed.
func describe(w io.Writer, m explaind.ModelStatus) {
	for _, v := range m.Versions {
		fmt.Fprintf(w, "%s version %d: %s", oneLine(m.Name), v.Version, strings.ToLower(v.State.String()))
		if v.Err != nil {
			e := explaind.AsError(v.Err)
			fmt.Fprintf(w, ": %s (%s)", oneLine(e.Error()), e.Reason)
		}
		fmt.Fprintln(w)
	}
}

// oneLine keeps text of files from looking like lines of its own.
func oneLine(s string) string {
	return strings.Join(strings.Fields(clip(s, maxMessage)), " ")
}
