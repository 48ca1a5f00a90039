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

// enter waits for a free place. A long request also is one of as many that may step aside, so that no more than twice as
// many images as there are places are ever held.
func (s *Service) enter(ctx context.Context, long bool) (*place, error) {
	p := &place{service: s}
	wanted := []*semaphore.Weighted{s.places}
	if long {
		wanted = []*semaphore.Weighted{s.long, s.places}
	}
	for _, w := range wanted {
		if err := p.take(ctx, w); err != nil {
			p.leave()
			return nil, inPhase(err, "QUEUE")
		}
	}
	return p, nil
}

func (p *place) take(ctx context.Context, from *semaphore.Weighted) error {
	if err := from.Acquire(ctx, 1); err != nil {
		return explaind.FromContext(ctx)
	}
	p.held = append(p.held, from)
	return explaind.FromContext(ctx) // Acquire may succeed although ctx has ended
}

// stepAside lets those run who wait, and comes back after them. The error is that of ctx.
func (p *place) stepAside(ctx context.Context) error {
	last := len(p.held) - 1
	p.held[last].Release(1)
	p.held = p.held[:last]
	return p.take(ctx, p.service.places)
}

// leave gives back what is held.
func (p *place) leave() {
	for _, s := range p.held {
		s.Release(1)
	}
	p.held = nil
}
