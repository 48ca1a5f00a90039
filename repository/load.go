package repository

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/explaind/explaind"
)

// job is one version on its way into memory.
type job struct {
	entry   *entry
	version *version
	cancel  context.CancelFunc
}

// Load opens what is to serve, one version after the other: loading takes much memory and all cores for a while, and those
// already loaded answer meanwhile. A version that cannot be opened is marked as failed and never stops the others. Load
// returns when no version that is to serve is loading any more, or when ctx ends, leaving the rest loading. One whose files
// do not stop changing is waited for as long as it takes to call that a failure.
func (r *Repository) Load(ctx context.Context) {
	for ctx.Err() == nil {
		r.look("")
		r.answerRequests()
		if r.step(ctx) {
			continue
		}
		if r.settled() {
			return
		}
		r.wait(ctx, nil)
	}
}

// settled tells that each version serves, or will not soon.
func (r *Repository) settled() bool {
	return !slices.ContainsFunc(r.List(), func(m explaind.ModelStatus) bool {
		return slices.ContainsFunc(m.Versions, func(v explaind.VersionStatus) bool { return v.State == explaind.ModelLoading })
	})
}

// step loads the version that is most urgent; false if there is none.
func (r *Repository) step(ctx context.Context) bool {
	e, v := r.next()
	if v == nil || ctx.Err() != nil {
		return false
	}
	r.try(ctx, e, v)
	return true
}

// next is the version to load now, of the models in the order of their names; nil for none.
func (r *Repository) next() (best *entry, v *version) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.entries {
		if e.plan.load == nil {
			continue
		}
		if best == nil || e.plan.rank < best.plan.rank || e.plan.rank == best.plan.rank && e.name < best.name {
			best, v = e, e.plan.load
		}
	}
	return best, v
}

// try opens a version, puts it into service, and only then retires what it replaces, so that there is no moment without one.
func (r *Repository) try(ctx context.Context, e *entry, v *version) {
	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.job = &job{e, v, cancel}
	dir := v.dir
	r.mu.Unlock()

	start := time.Now()
	before, _ := fingerprint(dir)
	m, err := r.openModel(opening, dir)
	after, _ := fingerprint(dir)
	if before != after { // then what was read is neither the old nor the new version, and no error of it is to be believed
		if m != nil {
			_ = closeModel(m)
		}
		m, err = nil, explaind.Errorf(explaind.FailedPrecondition, "CHANGED_WHILE_LOADING", "the files of version %d changed while they were read", v.number)
	}
	stopped := ctx.Err() != nil
	unused := m
	r.update(e, func() {
		r.job = nil
		switch {
		case stopped || r.closed: // no failure of the model
		case e.gone || e.unloaded[v.number]: // no longer wanted
		case err != nil:
			r.fail(e, v, after, err)
		default:
			unused = nil
			r.serve(e, v, after, m, time.Since(start))
		}
	})
	if unused != nil {
		_ = closeModel(unused)
	}
}

// openModel is open, whose panic is an error.
func (r *Repository) openModel(ctx context.Context, dir string) (m explaind.Model, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, panicked(p)
		}
	}()
	m, err = r.open(ctx, dir)
	if err != nil {
		return nil, err
	}
	m.Spec() // a model that is none shows itself here
	return m, nil
}

func panicked(p any) error {
	return &explaind.Error{
		Code: explaind.Internal, Reason: "INTERNAL", Message: "an internal error happened; the server's log has the cause",
		Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
	}
}

// fail marks a version as failed; what serves goes on serving. Under mu.
func (r *Repository) fail(e *entry, v *version, files uint64, err error) {
	if v.tried != files && explaind.AsError(err).Reason != "CHANGED_WHILE_LOADING" {
		v.attempts = 0
	}
	v.attempts++
	wait := r.backoff(v.attempts)
	v.tried, v.err, v.retryAt = files, err, r.now().Add(wait)
	v.print, v.forced = files, false
	v.answer(r.failed(e, err))

	if r.poll > 0 {
		r.log.Debug("model is tried again later", "model", e.name, "version", v.number, "attempts", v.attempts, "in", wait.Round(time.Second))
	}
}

// serve puts an open model into service in the place of the same version, if there is one. Under mu.
func (r *Repository) serve(e *entry, v *version, files uint64, m explaind.Model, took time.Duration) {
	ref := explaind.ModelRef{Name: e.name, Version: v.number, Digest: m.Spec().Digest}
	c := newCounted(m, ref, func(c *counted) { r.freed(e, v.number, c) })
	r.alive[c] = struct{}{}
	if v.serving != nil {
		v.leave(e)
	}
	v.serving, v.loaded, v.print, v.bad = c, files, files, nil
	v.err, v.attempts, v.complaint, v.forced = nil, 0, "", false
	e.serving[v.number] = c
	v.answer(nil)
	r.log.Info("model ready", "model", e.name, "version", v.number, "digest", ref.Digest, "took", took.Round(time.Millisecond))
	for _, warning := range m.Spec().Warnings {
		r.log.Warn("model", "model", e.name, "version", v.number, "warning", warning)
	}
}

// served names the versions that serve.
func (e *entry) served() string {
	var list []string
	for _, v := range e.sorted() {
		if v.serving != nil {
			list = append(list, numbered(v.number))
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
