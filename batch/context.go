package batch

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/explaind/explaind"
)

// hasEnded is true from the moment of the deadline on: the timer that ends a context may be late on a busy machine.
func hasEnded(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// endedIn is the answer to a caller whose context has ended in a phase.
func endedIn(ctx context.Context, phase string) answer {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil { // its timer is late
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		cancel()
	}
	e := *explaind.AsError(explaind.FromContext(ctx))
	e.Metadata = map[string]string{"phase": phase}
	return answer{err: &e}
}

// jointContext is the context of a run for a group: it ends when the last of their contexts has ended, or with leave. Its
// values are those of the first, but for the observer, which is everyone's.
func jointContext(group []*request) (ctx context.Context, leave func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(group[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(group)))
	stops := make([]func() bool, len(group))
	for i, r := range group {
		stops[i] = context.AfterFunc(r.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return explaind.WithObserver(ctx, observers(group)), func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// observers passes on what happens in a run to the observers of all whose contexts have not ended.
type observers []*request

// Answers is explaind.Observer's.
func (o observers) Answers(ref explaind.ModelRef) {
	for _, r := range o {
		if r.ctx.Err() == nil {
			explaind.ObserverOf(r.ctx).Answers(ref)
		}
	}
}

// Observe is explaind.Observer's.
func (o observers) Observe(e explaind.Event) {
	for _, r := range o {
		if r.ctx.Err() == nil {
			explaind.ObserverOf(r.ctx).Observe(e)
		}
	}
}
