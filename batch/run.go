package batch

import (
	"context"
	"time"

	"github.com/explaind/explaind"
)

// do brings a request through a run.
func (m *Model) do(r *request) answer {
	if hasEnded(r.ctx) {
		return endedIn(r.ctx, "QUEUE")
	}
	if own := m.line.enter(r); own != nil {
		defer m.line.finish(own, nil) // also after a panic
		return m.alone(r)
	}
	select {
	case s := <-r.wake:
		return m.awake(r, s)
	case <-r.ctx.Done():
		switch m.line.leave(r) {
		case leading:
			return m.awake(r, <-r.wake)
		case riding:
			return endedIn(r.ctx, "RUN")
		default:
			return endedIn(r.ctx, "QUEUE")
		}
	}
}

// awake goes on with a request that was woken.
func (m *Model) awake(r *request, s signal) answer {
	if s.run != nil {
		return m.lead(s.run)
	}
	return inTime(r, s.answer)
}

// inTime is the answer to a request, unless it comes after its caller's end.
func inTime(r *request, a answer) answer {
	if hasEnded(r.ctx) {
		return endedIn(r.ctx, "RUN")
	}
	return a
}

// lead does a run in the goroutine of its first request. If what a group runs together fails, each of them runs once more,
// alone, so that nobody gets an error, or a panic, that another one caused.
func (m *Model) lead(run *run) answer {
	first := run.group[0]
	if !m.line.board(run) {
		return endedIn(first.ctx, "QUEUE")
	}
	others := run.group[1:]
	defer func() { m.line.finish(run, others) }() // also after a panic
	if len(others) > 0 {
		if answers, ok := m.together(run.group); ok {
			for i, r := range others {
				r.wake <- signal{answer: answers[i+1]}
			}
			others = nil
			return inTime(first, answers[0])
		}
		if hasEnded(first.ctx) {
			return endedIn(first.ctx, "RUN")
		}
	}
	return m.alone(first)
}

// alone runs the model for one request, whose context was just looked at.
func (m *Model) alone(r *request) answer {
	m.begin(r, r.rows())
	m.ran(r.rows(), 1)
	return inTime(r, m.call(r.ctx, r))
}

// together runs the model once for a group.
func (m *Model) together(group []*request) (answers []answer, ok bool) {
	defer func() {
		if recover() != nil { // it comes again when the one that causes it runs alone
			answers, ok = nil, false
		}
	}()
	joined := join(group)
	ctx, leave := jointContext(group)
	defer leave()
	joined.ctx = ctx
	for _, r := range group {
		m.begin(r, joined.rows())
	}
	m.ran(joined.rows(), len(group))
	a := m.call(ctx, joined)
	if a.err != nil {
		return nil, false
	}
	return split(group, a)
}

// begin tells a request's observer that its wait is over.
func (m *Model) begin(r *request, rows int) {
	if r.began.IsZero() { // it did not wait
		r.began = time.Now()
	}
	explaind.Observe(r.ctx, explaind.PhaseBatch, r.began, rows)
}

// call asks the inner model.
func (m *Model) call(ctx context.Context, r *request) (a answer) {
	switch r.ask {
	case askOutputs:
		a.prediction, a.err = m.outputs.PredictOutputs(ctx, r.images)
	case askExplanation:
		a.explained, a.err = m.inner.Explain(ctx, r.explain)
	case askFrom:
		a.prediction, a.err = m.inner.PredictFrom(ctx, r.from, r.images)
	default:
		a.prediction, a.err = m.inner.Predict(ctx, r.images)
	}
	return a
}
