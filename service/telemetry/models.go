package telemetry

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/explaind/explaind"
)

// modelKey is one version of a model, as labels name it.
type modelKey struct{ name, version string }

// keyOf makes UTF-8 of names that come from folders.
func keyOf(name string, version int64) modelKey {
	return modelKey{strings.ToValidUTF8(name, "\uFFFD"), strconv.FormatInt(version, 10)}
}

// models follows which versions there are, so that labels name no others, and what is counted for a version is forgotten
// with it.
type models struct {
	metrics *metrics

	mu    sync.RWMutex
	known map[modelKey]standing
}

// standing is where a version stands: with these files, and with this failure to load it, or others in its place.
type standing struct {
	state           explaind.ModelState
	digest, failure string
}

// ModelChanged takes the status of one model, as repositories tell it to those who listen. Calls come one at a time.
func (t *Telemetry) ModelChanged(s explaind.ModelStatus) { t.models.changed(s) }

func (m *models) changed(s explaind.ModelStatus) {
	name := keyOf(s.Name, 0).name
	now := map[modelKey]standing{}
	for _, v := range s.Versions {
		at := standing{state: v.State, digest: v.Digest}
		if v.Err != nil {
			at.failure = v.Err.Error()
		}
		now[keyOf(name, v.Version)] = at
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[modelKey]standing{}
	}
	for key, at := range now {
		m.count(key, m.known[key], at)
		m.known[key] = at
	}
	for key := range m.known {
		if _, still := now[key]; key.name == name && !still {
			delete(m.known, key)
			m.forget(key)
		}
	}
	if len(now) == 0 { // the model is gone
		m.metrics.reloads.DeletePartialMatch(prometheus.Labels{"model": name})
	}
}

// count counts what became of a load. A version that serves may have failed to be replaced by its own new files.
func (m *models) count(key modelKey, before, now standing) {
	if now.state == explaind.ModelReady && (before.state != explaind.ModelReady || before.digest != now.digest) {
		m.metrics.reloads.WithLabelValues(key.name, resultOK).Inc()
	}
	failed := now.state == explaind.ModelFailed || now.failure != ""
	if failed && (before.failure != now.failure || before.state != now.state) {
		m.metrics.reloads.WithLabelValues(key.name, resultFailed).Inc()
	}
	if now.state == explaind.ModelUnloaded && before.state != explaind.ModelUnloaded {
		m.forget(key)
	}
}

// forget drops what was counted for a version. Nobody uses it any more.
func (m *models) forget(key modelKey) {
	labels := prometheus.Labels{"model": key.name, "version": key.version}
	m.metrics.answered.DeletePartialMatch(labels)
	m.metrics.batchWait.DeletePartialMatch(labels)
	m.metrics.run.DeletePartialMatch(labels)
}

// served tells whether a version can answer somebody.
func (m *models) served(key modelKey) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	state := m.known[key].state
	return state == explaind.ModelReady || state == explaind.ModelUnloading
}

// The values of the label result.
const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// Loaded takes how long it took to open a model, or not to.
func (t *Telemetry) Loaded(took time.Duration, err error) {
	result := resultOK
	if err != nil {
		result = resultFailed
	}
	t.metrics.loadSeconds.WithLabelValues(result).Observe(took.Seconds())
}

// Ran takes the rows of one run of a model, and the requests that they belong to.
func (t *Telemetry) Ran(rows, requests int) {
	t.metrics.batchSize.Observe(float64(rows))
	t.metrics.batchRequests.Observe(float64(requests))
}
