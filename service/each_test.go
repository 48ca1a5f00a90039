package service

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

func TestEach(t *testing.T) {
	const n = 100
	var done [n]atomic.Int32
	if err := each(t.Context(), n, func(i int) error { done[i].Add(1); return nil }); err != nil {
		t.Error(err)
	}
	for i := range done {
		if done[i].Load() != 1 {
			t.Errorf("piece %d was done %d times", i, done[i].Load())
		}
	}

	bad := errors.New("piece 7")
	var begun atomic.Int32
	err := each(t.Context(), 1000, func(i int) error {
		begun.Add(1)
		if i == 7 {
			return bad
		}
		time.Sleep(100 * time.Microsecond)
		return nil
	})
	if !errors.Is(err, bad) || begun.Load() == 1000 {
		t.Errorf("a bad piece: %v after %d", err, begun.Load())
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = each(ended, n, func(int) error { t.Error("work for nobody"); return nil })
	if explaind.AsError(err).Code != explaind.Canceled {
		t.Errorf("ended: %v", err)
	}
}

// The recovery of a request stands in the goroutine that the request came by.
func TestEachPanicsInItsCaller(t *testing.T) {
	defer func() {
		if p := recover(); p != "oh" {
			t.Errorf("recovered %v", p)
		}
	}()
	err := each(t.Context(), 5, func(i int) error {
		if i == 3 {
			panic("oh")
		}
		return nil
	})
	t.Errorf("returned %v", err)
}
