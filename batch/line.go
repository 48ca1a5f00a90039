package batch

import (
	"slices"
	"sync"
)

// line is who waits for a run of the model, and what runs.
//
// A free run is taken at once, by the one who has waited longest and all who can share it, up to their fair share: the rows
// of their kind that wait or run, divided by the number of runs that there can be. As long as they are fewer, they wait for
// more of their kind, or for the end of a run of their kind. So runs of a kind are of about one size, where otherwise the
// first of those who are answered together, and ask again together, would keep a run for itself.
type line struct {
	sizes *sizes
	most  int // runs at once

	mu      sync.Mutex
	waiting []*request // the one that came first is the first
	running []*run
}

// run is one of the model, for a group of requests with one key. It takes place in the goroutine of the first.
type run struct {
	group []*request
	key   key
	size  int
}

// enter returns the run of a request that need not wait, else nil: then it gets a signal. While nothing runs, nobody waits.
func (l *line) enter(r *request) *run {
	r.classify(l.sizes)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.running) == 0 {
		r.own = run{key: r.key, size: r.size}
		l.running = append(l.running, &r.own)
		return &r.own
	}
	r.await()
	l.waiting = append(l.waiting, r)
	l.start()
	return nil
}

// leave takes a request out whose caller wants to return, and tells what it was before. The caller of one that leads may
// not return: the run is its own, and the signal is there already.
func (l *line) leave(r *request) (was state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was = r.state
	if was == waiting {
		l.waiting = slices.DeleteFunc(l.waiting, func(other *request) bool { return other == r })
	}
	if was != leading {
		r.state = gone
	}
	return was
}

// finish ends a run. Those of its group for whom it failed wait again, each to run alone; they came before all others.
func (l *line) finish(done *run, again []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again = slices.DeleteFunc(again, func(r *request) bool { return r.state == gone })
	for _, r := range again {
		r.state, r.key = waiting, key{}
	}
	if len(again) > 0 {
		l.waiting = slices.Concat(again, l.waiting)
	}
	l.end(done)
}

// end gives what a run kept to those who wait. The mutex is held.
func (l *line) end(done *run) {
	l.running = slices.DeleteFunc(l.running, func(r *run) bool { return r == done })
	l.start()
}

// start gives free runs to those who have waited longest. The mutex is held.
func (l *line) start() {
	for len(l.running) < l.most {
		next := l.next()
		if next == nil {
			return
		}
		l.running = append(l.running, next)
		next.lead()
	}
}

// next takes those out of the line who are to run; nil if nobody is, since there are too few of each kind. The mutex is held.
func (l *line) next() *run {
	var tooFew []key
	for _, first := range l.waiting {
		if slices.Contains(tooFew, first.key) {
			continue
		}
		if !first.key.shared {
			return l.take(first, first.size)
		}
		size, share := l.share(first)
		if size >= share {
			return l.take(first, share)
		}
		tooFew = append(tooFew, first.key)
	}
	return nil
}

// share is how much of a request's kind waits, and how much of it shall run at once.
func (l *line) share(of *request) (size, share int) {
	for _, r := range l.waiting {
		if r.key == of.key {
			size += r.size
		}
	}
	all := size
	for _, r := range l.running {
		if r.key == of.key {
			all += r.size
		}
	}
	return size, min((all+l.most-1)/l.most, of.limit)
}

// take takes a request out of the line, with those who can share its run, until there is enough.
func (l *line) take(first *request, enough int) *run {
	taken := &run{group: []*request{first}, key: first.key, size: first.size}
	l.waiting = slices.DeleteFunc(l.waiting, func(r *request) bool {
		if r == first {
			return true
		}
		joins := r.key.shared && r.key == first.key && taken.size < enough && taken.size+r.size <= first.limit
		if joins {
			taken.group, taken.size = append(taken.group, r), taken.size+r.size
		}
		return joins
	})
	return taken
}

// lead wakes the first of the group, to whom the run is given. The line's mutex is held.
func (r *run) lead() {
	for _, each := range r.group {
		each.state = riding
	}
	r.group[0].state = leading
	r.group[0].wake <- signal{run: r}
}

// board leaves those out whose callers have returned or whose context has ended, just before a run begins. If its leader is
// one of them, another one leads, or the run is over, and it returns false.
func (l *line) board(r *run) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	leader := r.group[0]
	r.group = slices.DeleteFunc(r.group, func(each *request) bool {
		return each.state == gone || hasEnded(each.ctx)
	})
	r.size = 0
	for _, each := range r.group {
		r.size += each.size
	}
	switch {
	case len(r.group) == 0:
		l.end(r)
		return false
	case r.group[0] != leader:
		r.lead()
		return false
	default:
		return true
	}
}

func (l *line) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{WaitingRequests: len(l.waiting), Runs: len(l.running)}
	for _, r := range l.waiting {
		s.WaitingRows += r.rows()
	}
	return s
}
