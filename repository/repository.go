// Package repository keeps models by name and version: it finds them on disk, opens them one after the other while
// others already answer, follows what happens to their folders, and hands out counted handles. It knows neither TensorFlow
// nor any protocol: how a model is opened is given to it.
package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/explaind/explaind"
)

// OpenFunc opens the SavedModel in a folder. The model that it returns is warm: its first request costs what others do.
type OpenFunc func(ctx context.Context, dir string) (explaind.Model, error)

// Repository is a set of models. All methods may be called by many goroutines at once, except Load and Watch: one call of
// either is under way at a time.
type Repository struct {
	open     OpenFunc
	policy   Policy
	settings map[string]ModelConfig // of models, by name
	poll     time.Duration
	log      *slog.Logger

	now     func() time.Time
	backoff func(attempts int) time.Duration

	roots []*root // for the one that looks only
	wake  chan struct{}

	mu       sync.RWMutex
	entries  map[string]*entry
	alive    map[*counted]struct{} // open models
	job      *job                  // what is being loaded, nil for nothing
	requests []*request
	closed   bool

	// notify keeps changes in order on their way to the listeners, which must not be called under mu.
	notify    sync.Mutex
	listeners []func(explaind.ModelStatus)
}

// New returns a repository of what is on disk, all of it still to be loaded: Load does that, and Watch goes on with it.
//
// The error is an InvalidArgument if two folders have one model's name, or if a name, label or policy is none, and that of
// ParseSource for a Path.
func New(o Options) (*Repository, error) {
	r := &Repository{
		open: o.Open, policy: o.Policy, settings: map[string]ModelConfig{}, poll: o.Poll, log: o.Log,
		now: time.Now, backoff: backoff, wake: make(chan struct{}, 1),
		entries: map[string]*entry{}, alive: map[*counted]struct{}{},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := o.Policy.check(); err != nil {
		return nil, err
	}
	for _, c := range o.Models {
		if err := c.check(); err != nil {
			return nil, err
		}
		if old, twice := r.settings[c.Name]; twice {
			return nil, duplicate(c.Name, old.Path, c.Path)
		}
		r.settings[c.Name] = c
		if c.Path != "" {
			if err := checkFolder(c.Path); err != nil {
				return nil, fmt.Errorf("model %q: %w", c.Name, err)
			}
			r.entries[c.Name] = r.configured(newEntry(c.Name, c.Path))
		}
	}
	for _, dir := range o.Roots {
		root := &root{dir: dir}
		r.roots = append(r.roots, root)
		if err := r.lookAt(root, ""); err != nil {
			return nil, err
		}
	}
	r.lookAtModels("")
	r.warnOfSettings()
	return r, nil
}

func duplicate(name, a, b string) error {
	return explaind.Errorf(explaind.InvalidArgument, "DUPLICATE_MODEL",
		"two folders are named model %q: %s and %s; name one of them otherwise with NAME=DIR", name, a, b)
}

// configured gives an entry what the configuration says of its name.
func (r *Repository) configured(e *entry) *entry {
	c := r.settings[e.name]
	e.policy = r.policy
	if c.Policy != nil {
		e.policy = *c.Policy
	}
	maps.Copy(e.labels, c.Labels)
	return e
}

// warnOfSettings tells of configuration that is about nothing there is.
func (r *Repository) warnOfSettings() {
	for _, name := range slices.Sorted(maps.Keys(r.settings)) {
		e := r.entries[name]
		if e == nil {
			r.log.Warn("no folder has the name of a model that is configured", "model", name)
			continue
		}
		for _, label := range slices.Sorted(maps.Keys(e.labels)) {
			if e.versions[e.labels[label]] == nil {
				r.log.Warn("a label names a version that is not there", "model", name, "label", label, "version", e.labels[label])
			}
		}
	}
}

// settle is how long files must not have changed to be taken for complete.
func (r *Repository) settle() time.Duration { return min(2*r.poll, 2*time.Second) }

func (r *Repository) rhythm() rhythm {
	return rhythm{now: r.now(), settle: r.settle(), retry: r.poll > 0}
}

// update alters an entry, plans what to do with it, tells the listeners, and closes what leaves and is not in use.
func (r *Repository) update(e *entry, alter func()) {
	for _, c := range r.change(e, alter) {
		c.retire()
	}
}

// change returns the open models that are out of service now.
func (r *Repository) change(e *entry, alter func()) []*counted {
	r.notify.Lock()
	defer r.notify.Unlock()
	r.mu.Lock()
	alter()
	left := r.apply(e)
	status, changed := r.news(e)
	r.mu.Unlock()
	if changed {
		for _, listener := range r.listeners {
			listener(status)
		}
	}
	return left
}

// apply makes an entry's plan, and returns the open models that are out of service since the last one.
func (r *Repository) apply(e *entry) []*counted {
	rhythm := r.rhythm()
	e.replan(rhythm)
	for _, v := range e.plan.retire {
		v.leave(e)
		r.log.Info("model version out of service", "model", e.name, "version", v.number)
	}
	for _, v := range e.sorted() {
		v.judge(rhythm)
		r.complain(e, v.number, v.reason, &v.complaint)
	}
	if len(e.versions) == 0 {
		r.complain(e, 0, e.plan.reason, &e.complaint)
	}
	left := e.left
	e.left = nil
	return left
}

// complain logs why a version, or a model without any, cannot be loaded, if the log does not have it yet.
func (r *Repository) complain(e *entry, version int64, reason error, last *string) {
	if reason == nil || reason.Error() == *last {
		return
	}
	*last = reason.Error()
	log := r.log.With("model", e.name, "version", version)
	if cause := errors.Unwrap(reason); cause != nil {
		log = log.With("cause", cause)
	}
	log.Error("model failed to load", "error", reason, "serving", e.served())
}

// leave takes a version out of service.
func (v *version) leave(e *entry) {
	e.left = append(e.left, v.serving)
	v.serving = nil
	v.draining++
	delete(e.serving, v.number)
}

// news is the entry's status, and whether the listeners do not know it yet. A model that is gone, and of which nothing is in
// memory any more, is forgotten: its status has no versions.
func (r *Repository) news(e *entry) (status explaind.ModelStatus, changed bool) {
	if r.entries[e.name] != e {
		return status, false
	}
	if e.gone && e.idle() && (r.job == nil || r.job.entry != e) {
		delete(r.entries, e.name)
		r.log.Info("model gone", "model", e.name)
		return explaind.ModelStatus{Name: e.name}, true
	}
	status = e.snapshot()
	changed = !reflect.DeepEqual(status, e.told)
	e.told = status
	return status, changed
}

// freed notes that an open model of a version is closed.
func (r *Repository) freed(e *entry, number int64, c *counted) {
	if c.err != nil {
		r.log.Error("model could not be closed", "model", e.name, "version", number, "error", c.err, "cause", errors.Unwrap(c.err))
	}
	r.update(e, func() {
		delete(r.alive, c)
		if v := e.versions[number]; v != nil && v.draining > 0 {
			v.draining--
		}
	})
}

// Listen calls f with the status of every model, now and after each change, one call at a time. A model without versions has
// gone. f must not call Listen.
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
	all := slices.Collect(maps.Keys(r.alive))
	r.mu.Unlock()
	r.refuse()
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
