package service

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/explaind/explaind"
)

// share is a part of something that all requests of a kind have together.
type share struct {
	of   *semaphore.Weighted // nil if nothing is held
	size int64
}

// take waits until the share is there. The error is that of ctx.
func (s *share) take(ctx context.Context, of *semaphore.Weighted, size int) error {
	n := int64(max(size, 0))
	if err := of.Acquire(ctx, n); err != nil {
		return explaind.FromContext(ctx)
	}
	*s = share{of, n}
	return explaind.FromContext(ctx) // Acquire may succeed although ctx has ended
}

func (s *share) giveBack() {
	if s.of != nil {
		s.of.Release(s.size)
	}
	*s = share{}
}
