package service

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/explaind/explaind"
)

// class is one kind of request, short or long, with what all of that kind may hold at a time. The kinds have nothing in
// common but cores and the model, so that short requests never wait for long ones to end.
type class struct {
	queue    *queue
	pixels   *semaphore.Weighted // of pictures that are decoded
	evidence *semaphore.Weighted // in numbers
}

// Twice the largest that one request may hold, so that one of those does not keep out all others.
func newClass(places int, o *Options) *class {
	return &class{
		queue:    newQueue(places, o.MaxQueue),
		pixels:   semaphore.NewWeighted(2 * int64(max(o.Images.MaxPixels, 0))),
		evidence: semaphore.NewWeighted(2 * int64(o.MaxEvidence)),
	}
}

// longTurns is how many passes of long requests run at a time: while the model works on one, the images of another one are
// made. longPerTurn is how many long requests there may be for each turn; each holds its image and evidence.
const (
	longTurns   = 2
	longPerTurn = 4
)

// place is what one request holds from before decoding until its answer is made.
type place struct {
	service  *Service
	class    *class
	turns    *semaphore.Weighted // of long requests; nil for a short one
	leaves   []func()
	pixels   share
	evidence share
	turn     share
}

// enter waits for a place: a short request for one of those in flight, a long one, which has the model run pass by pass, for
// one of those that take turns.
func (s *Service) enter(ctx context.Context, long bool) (*place, error) {
	p := &place{service: s, class: s.short}
	if long {
		p.class, p.turns = s.long, s.turns
	}
	leave, err := s.clients.enter(ctx)
	if err != nil {
		return nil, inPhase(err, "QUEUE")
	}
	if err := p.class.queue.enter(ctx); err != nil {
		leave()
		return nil, inPhase(err, "QUEUE")
	}
	p.leaves = []func(){p.class.queue.leave, leave}
	return p, nil
}

// leave gives back all that is held.
func (p *place) leave() {
	for _, s := range []*share{&p.turn, &p.evidence, &p.pixels} {
		s.giveBack()
	}
	for _, leave := range p.leaves {
		leave()
	}
	p.leaves = nil
}

// input makes model input of an image, as soon as there is room for its pixels and a core is free. The picture as it came
// is dropped, and its room given back, unless it is kept to be drawn over.
func (p *place) input(ctx context.Context, image *Image, spec *explaind.Spec, keep bool, watch *stopwatch, t *Timing) (*input, error) {
	source, err := p.service.source(image, spec)
	if err != nil {
		return nil, err
	}
	pixels := min(source.pixels, p.service.options.Images.MaxPixels)
	if err := p.pixels.take(ctx, p.class.pixels, pixels); err != nil {
		return nil, inPhase(err, "QUEUE")
	}
	var in *input
	waiting := true
	err = p.service.onCore(ctx, func() (err error) {
		waiting = false
		explaind.Observe(ctx, explaind.PhaseQueue, watch.lap, 0)
		t.Queue = watch.next()
		in, err = source.prepare()
		return err
	})
	if waiting {
		return nil, inPhase(err, "QUEUE")
	}
	if err != nil {
		return nil, err
	}
	if !keep {
		in.original = nil
		p.pixels.giveBack()
	}
	explaind.Observe(ctx, explaind.PhaseDecode, watch.lap, 0)
	t.Decode = watch.next()
	return in, nil
}

// ready waits for room for so many numbers of evidence, and a long request for its first turn.
func (p *place) ready(ctx context.Context, numbers int) error {
	err := p.evidence.take(ctx, p.class.evidence, numbers)
	if err == nil {
		err = p.pass(ctx)
	}
	if err != nil {
		return inPhase(err, "QUEUE")
	}
	return nil
}

// pass is what stands before each pass of a long request: it lets those go first who wait for a turn. The error is that of
// ctx.
func (p *place) pass(ctx context.Context) error {
	p.pause()
	if p.turns == nil {
		return explaind.FromContext(ctx)
	}
	return p.turn.take(ctx, p.turns, 1)
}

// pause gives the turn back, until the next pass.
func (p *place) pause() { p.turn.giveBack() }
