package service

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/explaind/explaind"
)

// place is one of those in which everything happens that costs memory or time: decoding as well as running.
type place struct {
	service *Service
	held    []*semaphore.Weighted
}

// enter waits for a free place. A long request, one that steps aside between its passes, waits for two things before: to be one
// of those whose images may be held, and for its turn among them. As many have their turn as there are places, so that a
// short request waits for one pass of a long one at most, however many there are.
func (s *Service) enter(ctx context.Context, long bool) (*place, error) {
	p := &place{service: s}
	wanted := []*semaphore.Weighted{s.places}
	if long {
		wanted = []*semaphore.Weighted{s.long, s.turns, s.places}
	}
	if err := p.take(ctx, wanted...); err != nil {
		p.leave()
		return nil, inPhase(err, "QUEUE")
	}
	return p, nil
}

// take waits for one after the other.
func (p *place) take(ctx context.Context, wanted ...*semaphore.Weighted) error {
	for _, from := range wanted {
		if err := from.Acquire(ctx, 1); err != nil {
			return explaind.FromContext(ctx)
		}
		p.held = append(p.held, from)
	}
	return explaind.FromContext(ctx) // Acquire may succeed although ctx has ended
}

// stepAside lets those run who wait, and comes back after them. The error is that of ctx.
func (p *place) stepAside(ctx context.Context) error {
	for _, s := range p.held[1:] { // all but that its image may be held
		s.Release(1)
	}
	p.held = p.held[:1]
	return p.take(ctx, p.service.turns, p.service.places)
}

// leave gives back what is held.
func (p *place) leave() {
	for _, s := range p.held {
		s.Release(1)
	}
	p.held = nil
}
