package repository

import (
	"context"
	"path/filepath"
	"time"
)

// Watch goes on where Load ended, until ctx ends: it looks at the folders as often as it is to and whenever something happens
// in them, loads what is new, unloads what is gone, and does what LoadModel asks for.
func (r *Repository) Watch(ctx context.Context) {
	defer r.refuse()
	var events *events
	if r.poll > 0 {
		events = r.listenToDisk()
		defer events.close()
	}
	for ctx.Err() == nil {
		if r.poll > 0 {
			r.look("")
			events.follow(r.places())
		}
		r.answerRequests()
		if !r.step(ctx) {
			r.wait(ctx, events)
		}
	}
}

// wait returns when there may be something to do.
func (r *Repository) wait(ctx context.Context, events *events) {
	var due <-chan time.Time
	if r.poll > 0 {
		timer := time.NewTimer(min(r.poll, max(r.nextPlan(), time.Millisecond)))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-due:
	case <-events.happened():
		select { // events come in swarms
		case <-ctx.Done():
		case <-time.After(debounce):
		}
	}
}

// nextPlan is when the first of the models may have something to do without anything happening to it.
func (r *Repository) nextPlan() time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now, next := r.now(), r.poll
	for _, e := range r.entries {
		if !e.plan.due.IsZero() {
			next = min(next, e.plan.due.Sub(now))
		}
	}
	return next
}

// places are the folders in which something may happen.
func (r *Repository) places() map[string]bool {
	places := map[string]bool{}
	for _, root := range r.roots {
		places[root.dir] = true
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.entries {
		places[filepath.Clean(e.dir)] = true
		for _, v := range e.versions {
			if v.present && (v.wanted || v.serving != nil) {
				places[filepath.Clean(v.dir)] = true
			}
		}
	}
	return places
}

// awaken makes Load or Watch look around.
func (r *Repository) awaken() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to
	}
}
