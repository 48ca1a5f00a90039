package service

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/explaind/explaind"
)

// each does n independent pieces of work on all cores, and stops at the first error. A panic goes on in the caller, where
// the request's recovery stands.
func each(ctx context.Context, n int, do func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = &panicError{p}
				}
			}()
			if err := explaind.FromContext(ctx); err != nil {
				return err
			}
			return do(i)
		})
	}
	err := group.Wait()
	if p := (*panicError)(nil); errors.As(err, &p) {
		panic(p.value)
	}
	return err
}

// panicError carries a panic from one goroutine to another.
type panicError struct{ value any }

func (*panicError) Error() string { return "panic" }
