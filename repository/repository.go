// Package repository keeps models by name and version: it finds them on disk, opens them one after the other while
// others already answer, and hands out counted handles. It knows neither TensorFlow nor any protocol: how a model is
// opened is given to it.
package repository

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/explaind/explaind"
)

// OpenFunc opens the SavedModel in a folder.
type OpenFunc func(ctx context.Context, dir string) (explaind.Model, error)

// Repository is a set of models. All methods may be called by many goroutines at once.
type Repository struct {
	open OpenFunc
	log  *slog.Logger

	mu      sync.RWMutex
	entries map[string]*entry
	closed  bool

	// notify keeps changes in order on their way to the listeners, which must not be called under mu.
	notify    sync.Mutex
	listeners []func(explaind.ModelStatus)
}

// entry is one model. Its fields are guarded by the repository's mu.
type entry struct {
	source  Source
	status  []explaind.VersionStatus // by version, the latest last
	serving map[int64]*counted
}

// New returns a repository of the sources, all of them loading. Load then opens them.
// The error is an InvalidArgument if two sources have one name.
func New(open OpenFunc, sources []Source, log *slog.Logger) (*Repository, error) {
	r := &Repository{open: open, log: log, entries: map[string]*entry{}}
	for _, s := range sources {
		if old, twice := r.entries[s.Name]; twice {
			return nil, explaind.Errorf(explaind.InvalidArgument, "DUPLICATE_MODEL",
				"two folders are named model %q: %s and %s; name one of them otherwise with NAME=DIR", s.Name, old.source.Dir, s.Dir)
		}
		v, _ := latest(s.Dir) // Load meets the same error and reports it
		r.entries[s.Name] = &entry{
			source:  s,
			status:  []explaind.VersionStatus{{Version: v.number, State: explaind.ModelLoading}},
			serving: map[int64]*counted{},
		}
	}
	return r, nil
}

// Load opens the latest version of every model, one after the other in the order of their names: loading takes much
// memory and all cores for a while, and those already loaded answer meanwhile. A model that cannot be opened is marked
// as failed and never stops the others. Load returns when ctx ends, leaving the rest loading.
func (r *Repository) Load(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		if ctx.Err() != nil {
			return
		}
		r.load(ctx, r.entries[name])
	}
}

// load opens a model's latest version, puts it into service and retires what served before.
func (r *Repository) load(ctx context.Context, e *entry) {
	start := time.Now()
	v, err := latest(e.source.Dir)
	if err == nil {
		err = CheckName(e.source.Name)
	}
	var m explaind.Model
	if err == nil {
		m, err = r.open(ctx, v.dir)
	}
	switch {
	case err != nil && ctx.Err() != nil: // stopped, not failed
		return
	case err != nil:
		log := r.log.With("model", e.source.Name, "version", v.number)
		if cause := errors.Unwrap(err); cause != nil {
			log = log.With("cause", cause)
		}
		log.Error("model failed to load", "error", err)
		r.fail(e, v, err)
	default:
		r.log.Info("model ready", "model", e.source.Name, "version", v.number, "digest", m.Spec().Digest, "took", time.Since(start).Round(time.Millisecond))
		for _, warning := range m.Spec().Warnings {
			r.log.Warn("model", "model", e.source.Name, "version", v.number, "warning", warning)
		}
		r.serve(e, v, m)
	}
}

// fail marks a version as failed; what serves goes on serving.
func (r *Repository) fail(e *entry, v version, err error) {
	r.change(e, func() {
		e.set(explaind.VersionStatus{Version: v.number, State: explaind.ModelFailed, Err: err})
	})
}

// serve puts an open model into service and only then retires the other versions, so that there is no moment without
// one.
func (r *Repository) serve(e *entry, v version, m explaind.Model) {
	ref := explaind.ModelRef{Name: e.source.Name, Version: v.number, Digest: m.Spec().Digest}
	c := newCounted(m, ref)
	var old []*counted
	r.change(e, func() {
		if r.closed {
			old = append(old, c)
			return
		}
		old = slices.Collect(maps.Values(e.serving))
		e.serving = map[int64]*counted{v.number: c}
		e.status = nil
		e.set(explaind.VersionStatus{Version: v.number, State: explaind.ModelReady, Digest: ref.Digest})
	})
	for _, o := range old {
		o.retire()
	}
}

// set replaces or adds the status of one version.
func (e *entry) set(s explaind.VersionStatus) {
	i := slices.IndexFunc(e.status, func(old explaind.VersionStatus) bool { return old.Version == s.Version })
	if i >= 0 {
		e.status[i] = s
		return
	}
	e.status = append(e.status, s)
	slices.SortFunc(e.status, func(a, b explaind.VersionStatus) int { return int(min(max(a.Version-b.Version, -1), 1)) })
}

// change alters an entry and tells the listeners.
func (r *Repository) change(e *entry, alter func()) {
	r.notify.Lock()
	defer r.notify.Unlock()
	r.mu.Lock()
	alter()
	status := e.snapshot()
	r.mu.Unlock()
	for _, listener := range r.listeners {
		listener(status)
	}
}

func (e *entry) snapshot() explaind.ModelStatus {
	return explaind.ModelStatus{Name: e.source.Name, Versions: slices.Clone(e.status)}
}

// Listen calls f with the status of every model, now and after each change, one call at a time. f must not call Listen.
func (r *Repository) Listen(f func(explaind.ModelStatus)) {
	r.notify.Lock()
	defer r.notify.Unlock()
	r.listeners = append(r.listeners, f)
	for _, status := range r.List() {
		f(status)
	}
}

// List returns all models, ordered by name.
func (r *Repository) List() []explaind.ModelStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]explaind.ModelStatus, 0, len(r.entries))
	for _, e := range r.entries {
		list = append(list, e.snapshot())
	}
	slices.SortFunc(list, func(a, b explaind.ModelStatus) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Close takes no new users, waits for those there are and closes all models. It returns ctx's error if ctx ends first;
// the models then stay open until their last user leaves.
func (r *Repository) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	var all []*counted
	for _, e := range r.entries {
		all = append(all, slices.Collect(maps.Values(e.serving))...)
	}
	r.mu.Unlock()
	for _, c := range all {
		c.retire()
	}
	var errs []error
	for _, c := range all {
		select {
		case <-c.closed:
			errs = append(errs, c.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}
