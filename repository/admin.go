package repository

import (
	"context"
	"maps"
	"slices"

	"github.com/explaind/explaind"
)

// request is one LoadModel.
type request struct {
	name    string
	version int64
	done    chan error
	ref     explaind.ModelRef // of the version that is meant, before done
}

// LoadModel loads a version now, and returns when it serves: one that has just appeared in the model's folder, that the
// policy leaves out, that was unloaded, or that failed before. Files that may still be copied are not waited for. A version
// that the policy leaves out stays loaded until UnloadModel. The empty name means the only model there is. Version 0 undoes
// every UnloadModel of the model and means the version that the policy wants first, usually the latest.
//
// It needs Load or Watch to be under way. If ctx ends first, the version is loaded all the same.
//
// Errors: as Acquire's for names and versions; FailedPrecondition when the version cannot be loaded, with the reason;
// Unavailable when it is unloaded meanwhile or the server stops.
func (r *Repository) LoadModel(ctx context.Context, name string, version int64) (explaind.ModelRef, error) {
	if err := checkVersion(version); err != nil {
		return explaind.ModelRef{}, err
	}
	ask := &request{name: name, version: version, done: make(chan error, 1)}
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.requests = append(r.requests, ask)
	}
	r.mu.Unlock()
	if closed {
		return explaind.ModelRef{}, stopping()
	}
	r.awaken()
	select {
	case err := <-ask.done:
		if err != nil {
			return explaind.ModelRef{}, err
		}
	case <-ctx.Done():
		return explaind.ModelRef{}, explaind.FromContext(ctx)
	}
	return r.refOf(ask.ref), nil
}

// refOf completes the reference to a version that serves.
func (r *Repository) refOf(ref explaind.ModelRef) explaind.ModelRef {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.entries[ref.Name]; e != nil {
		if c := e.serving[ref.Version]; c != nil {
			return c.ref
		}
	}
	return ref
}

// answerRequests takes up what LoadModel asked for since the last time.
func (r *Repository) answerRequests() {
	r.mu.Lock()
	requests := r.requests
	r.requests = nil
	r.mu.Unlock()
	for _, ask := range requests {
		if err := r.takeUp(ask); err != nil {
			ask.done <- err
		}
	}
}

// takeUp looks at the model's folder, and has the version loaded if it does not serve.
func (r *Repository) takeUp(ask *request) error {
	name := ask.name
	if name == "" {
		e, err := r.findLocked(name)
		if err != nil {
			return err
		}
		name = e.name
	}
	r.look(name)
	e, err := r.findLocked(name)
	if err != nil {
		return err
	}
	r.update(e, func() { err = e.wish(ask.version) })
	if err != nil {
		return err
	}
	r.look(name) // versions that were not wanted are not looked into
	r.update(e, func() { err = e.press(ask) })
	return err
}

func (r *Repository) findLocked(name string) (*entry, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(name)
}

// wish makes a version wanted. Under mu.
func (e *entry) wish(number int64) error {
	if number == 0 {
		e.off = false
		clear(e.unloaded)
		return nil
	}
	if v := e.versions[number]; v == nil || !v.present {
		return e.unknown(number)
	}
	delete(e.unloaded, number)
	e.asked[number] = true // until the policy wants it as well
	return nil
}

// press has a wanted version loaded before others. Under mu.
func (e *entry) press(ask *request) error {
	v := e.versions[ask.version]
	if ask.version == 0 {
		if v = e.first(); v == nil && e.empty != nil {
			return e.empty
		}
	}
	if v == nil {
		return e.unknown(ask.version)
	}
	ask.ref = explaind.ModelRef{Name: e.name, Version: v.number}
	switch {
	case v.serving != nil && v.loaded == v.print:
		ask.done <- nil
	case v.bad != nil:
		return v.bad
	default:
		v.forced = true
		v.waiters = append(v.waiters, ask.done)
	}
	return nil
}

// first is the version that the policy wants first, nil if it wants none.
func (e *entry) first() *version {
	there := slices.DeleteFunc(e.sorted(), func(v *version) bool { return !v.present })
	slices.Reverse(there)
	list, _ := e.policy.choose(there)
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// UnloadModel takes a version, or with 0 all of a model, out of service; those that use it finish first. It stays so until
// LoadModel. The error is as Acquire's for names and versions.
func (r *Repository) UnloadModel(name string, version int64) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	e, err := r.findLocked(name)
	if err != nil {
		return err
	}
	r.update(e, func() { err = r.unload(e, version) })
	r.awaken()
	return err
}

// unload is UnloadModel, under mu.
func (r *Repository) unload(e *entry, number int64) error {
	numbers := []int64{number}
	if number == 0 {
		numbers = slices.Collect(maps.Keys(e.versions))
		e.off = true
	} else if e.versions[number] == nil {
		return e.unknown(number)
	}
	for _, n := range numbers {
		e.unloaded[n] = true
		delete(e.asked, n)
		v := e.versions[n]
		v.forced = false
		v.answer(explaind.Errorf(explaind.Unavailable, "VERSION_UNLOADED", "version %d of model %q was unloaded while it was awaited", n, e.name))
		if r.job != nil && r.job.version == v {
			r.job.cancel()
		}
	}
	r.log.Info("model unloaded on request", "model", e.name, "version", number)
	return nil
}

// SetVersionLabel gives a label to a version, or moves it there; version 0 removes it. A version with a label is served
// whatever the policy says, so the one that loses it may leave.
//
// Errors: InvalidArgument for a label that is none; NotFound as Acquire; FailedPrecondition if the version does not serve.
func (r *Repository) SetVersionLabel(name, label string, version int64) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	if err := CheckLabel(label); err != nil {
		return err
	}
	e, err := r.findLocked(name)
	if err != nil {
		return err
	}
	r.update(e, func() { err = e.label(label, version) })
	if err == nil {
		r.log.Info("version label set on request", "model", e.name, "label", label, "version", version)
		r.awaken()
	}
	return err
}

// label is SetVersionLabel, under mu.
func (e *entry) label(label string, number int64) error {
	switch {
	case number == 0:
		if _, found := e.labels[label]; !found {
			return explaind.AtField(explaind.NotFoundError("version_label", label, slices.Sorted(maps.Keys(e.labels))), "label")
		}
		delete(e.labels, label)
		return nil
	case e.versions[number] == nil:
		return e.unknown(number)
	case e.serving[number] == nil:
		return explaind.Errorf(explaind.FailedPrecondition, "VERSION_NOT_READY",
			"version %d of model %q is %s; a label may only name a version that is READY, so load it first", number, e.name, e.versions[number].state)
	}
	e.labels[label] = number
	return nil
}

// refuse answers those who wait for versions that nobody loads any more.
func (r *Repository) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ask := range r.requests {
		ask.done <- stopping()
	}
	r.requests = nil
	for _, e := range r.entries {
		for _, v := range e.versions {
			v.answer(stopping())
		}
	}
}
