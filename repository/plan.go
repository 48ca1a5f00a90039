package repository

import (
	"slices"
	"time"

	"github.com/explaind/explaind"
)

// patience is how long the files of a version may change before that counts as a failure: others need not wait for it.
const patience = time.Minute

// rhythm is what a plan needs to know of time.
type rhythm struct {
	now    time.Time
	settle time.Duration // how long files must not have changed to be taken for complete; 0 takes them as they are
	retry  bool          // whether anything is tried again
}

// plan is what to do next with a model.
type plan struct {
	load   *version   // nil for none
	rank   int        // of load among those of other models: the lowest goes first
	retire []*version // to be taken out of service
	due    time.Time  // when to make another plan, zero for never

	state  explaind.ModelState // of a model without versions
	reason error
}

// Ranks of loading.
const (
	rankForced = iota // an operator waits
	rankFirst         // nothing of the model serves
	rankFresh         // new files of a model that serves
	rankRetry         // what failed before
	rankNothing
)

// stand is where a version's files stand.
type stand int

const (
	current stand = iota // they serve
	fresh                // they can be loaded, and nobody tried yet
	waiting              // they are still being copied
	failed               // they cannot be loaded
)

func (v *version) stand(r rhythm) stand {
	switch {
	case v.serving != nil && (v.loaded == v.print || !v.present):
		return current
	case !v.forced && !v.still.reached(r.now, r.settle):
		return waiting
	case v.bad != nil:
		return failed
	case v.err != nil && v.tried == v.print && !v.forced:
		return failed
	default:
		return fresh
	}
}

// replan decides which versions serve, and with that: which one to load now, and which to take out of service. It also says
// in which state each is. A version leaves only when what is to serve in its place does.
func (e *entry) replan(r rhythm) {
	e.plan = plan{rank: rankNothing}
	e.forget()
	e.want(r)
	ready, pending := 0, 0
	for _, v := range slices.Backward(e.sorted()) {
		if !v.wanted {
			continue
		}
		stand := v.stand(r)
		switch {
		case v.serving != nil:
			ready++
		case stand == fresh:
			pending++
		}
		e.schedule(v, stand, r)
	}
	for _, v := range e.versions {
		if v.serving != nil && !v.wanted && e.mayLeave(v, r, ready > 0 && pending == 0) {
			e.plan.retire = append(e.plan.retire, v)
		}
	}
	if len(e.versions) == 0 {
		e.judgeEmpty(r)
	}
	if !e.goneSince.IsZero() && !e.gone {
		e.plan.wake(e.goneSince.Add(r.settle))
	}
}

// forget drops versions of which nothing is left, on disk or in memory.
func (e *entry) forget() {
	for number, v := range e.versions {
		if !v.present && v.serving == nil && v.draining == 0 {
			v.answer(explaind.AtField(explaind.NotFoundError("version", numbered(number), nil), "version"))
			delete(e.versions, number)
			continue
		}
		v.wanted = false
		if v.serving != nil && v.loaded == v.print { // also when changed files were put back
			v.err, v.attempts = nil, 0
		}
	}
}

// want marks the versions that are to serve: as many as the policy says of those that do or can, and those that have a
// label or were asked for.
func (e *entry) want(r rhythm) {
	if e.gone {
		return
	}
	var there []*version
	for _, v := range slices.Backward(e.sorted()) {
		if v.present && !e.unloaded[v.number] {
			there = append(there, v)
		}
	}
	list, n := e.policy.choose(there)
	for _, v := range list {
		if n == 0 {
			break
		}
		v.wanted = true
		delete(e.asked, v.number)
		if v.serving != nil || v.stand(r) == fresh {
			n--
		}
	}
	for _, v := range there {
		if e.asked[v.number] || len(e.labelsOf(v.number)) > 0 {
			v.wanted = true
		}
	}
}

// schedule takes a wanted version into the plan.
func (e *entry) schedule(v *version, at stand, r rhythm) {
	switch at {
	case current:
	case fresh:
		switch {
		case v.forced:
			e.plan.offer(v, rankForced)
		case len(e.serving) == 0:
			e.plan.offer(v, rankFirst)
		default:
			e.plan.offer(v, rankFresh)
		}
	case waiting:
		e.plan.wake(v.still.since.Add(r.settle))
	case failed:
		switch {
		case v.bad != nil || !r.retry:
		case r.now.Before(v.retryAt):
			e.plan.wake(v.retryAt)
		default:
			e.plan.offer(v, rankRetry)
		}
	}
}

func (p *plan) offer(v *version, rank int) {
	if rank < p.rank {
		p.load, p.rank = v, rank
	}
}

func (p *plan) wake(at time.Time) {
	if p.due.IsZero() || at.Before(p.due) {
		p.due = at
	}
}

// mayLeave tells whether a version that is not wanted can be taken out of service now. One whose folder vanished may be on
// its way back, and if there is nothing in its place, it stays.
func (e *entry) mayLeave(v *version, r rhythm, replaced bool) bool {
	switch {
	case e.gone || e.unloaded[v.number]:
		return true
	case !v.present && r.now.Sub(v.goneSince) < r.settle:
		e.plan.wake(v.goneSince.Add(r.settle))
		return false
	default:
		return replaced
	}
}

// judge says in which state a version is, after those that the plan retires have left.
func (v *version) judge(r rhythm) {
	v.state, v.reason = explaind.ModelUnloaded, nil
	at := v.stand(r)
	switch {
	case v.serving != nil:
		v.state = explaind.ModelReady
		if at == failed {
			v.reason = v.failure()
		}
	case !v.wanted:
		if v.draining > 0 {
			v.state = explaind.ModelUnloading
		}
	case at == failed, at == fresh && v.err != nil && v.tried == v.print:
		v.state, v.reason = explaind.ModelFailed, v.failure()
	case at == waiting && r.now.Sub(v.still.restless) >= patience:
		v.state = explaind.ModelFailed
		v.reason = explaind.Errorf(explaind.FailedPrecondition, "STILL_CHANGING",
			"the files of version %d do not stop changing; it is loaded when they have been still for %v", v.number, r.settle)
	default:
		v.state = explaind.ModelLoading
	}
}

func (v *version) failure() error {
	if v.bad != nil {
		return v.bad
	}
	return v.err
}

// judgeEmpty says in which state a model without versions is.
func (e *entry) judgeEmpty(r rhythm) {
	switch {
	case e.unusable != nil:
		e.plan.state, e.plan.reason = explaind.ModelFailed, e.unusable
	case !e.emptied.reached(r.now, r.settle):
		e.plan.state = explaind.ModelLoading
		e.plan.wake(e.emptied.since.Add(r.settle))
	default:
		e.plan.state, e.plan.reason = explaind.ModelFailed, e.empty
	}
}

// answer tells those who wait for the version how that ended.
func (v *version) answer(err error) {
	for _, w := range v.waiters {
		w <- err
	}
	v.waiters = nil
}
