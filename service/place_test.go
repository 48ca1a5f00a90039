package service

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/explaind/explaind"
)

// whole tells whether all that can be held is free.
func (s *Service) whole() bool {
	places := int64(s.options.MaxInFlight)
	for of, most := range map[*semaphore.Weighted]int64{s.places: places, s.turns: places, s.long: longPerPlace * places} {
		if !of.TryAcquire(most) {
			return false
		}
		of.Release(most)
	}
	return true
}

// Who steps aside comes back after those who waited, and at once if nobody does.
func TestStepAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: 1})
		p, err := s.enter(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.stepAside(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("nobody waits: %v after %v", err, time.Since(began))
		}
		for range 3 {
			go func() {
				short, err := s.enter(t.Context(), false)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				short.leave()
			}()
		}
		synctest.Wait()
		if err := p.stepAside(t.Context()); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("three wait: %v after %v", err, time.Since(began))
		}
		p.leave()
		if !s.whole() {
			t.Error("something is still held")
		}
	})
}

// Long requests that step aside still count: no more begin than may be held, all of them get their turn, and short ones pass.
func TestLongOnesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: 2})
		var held, most atomic.Int64
		for range 11 {
			go func() {
				p, err := s.enter(t.Context(), true)
				if err != nil {
					t.Error(err)
					return
				}
				defer p.leave()
				most.Store(max(most.Load(), held.Add(1)))
				for range 5 {
					time.Sleep(time.Second)
					if err := p.stepAside(t.Context()); err != nil {
						t.Error(err)
					}
				}
				held.Add(-1)
			}()
			synctest.Wait()
		}
		for range 10 {
			began := time.Now()
			p, err := s.enter(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if time.Since(began) > time.Second {
				t.Errorf("a short request waited for %v, longer than a pass", time.Since(began))
			}
			p.leave()
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most.Load() != 2*longPerPlace || held.Load() != 0 || !s.whole() {
			t.Errorf("%d long ones at once, %d still held", most.Load(), held.Load())
		}
	})
}

// Whoever stops waiting, wherever that is, leaves nothing taken.
func TestPlacesWhenTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: 1})
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, long := range []bool{false, true} {
			if p, err := s.enter(gone, long); p != nil || explaind.AsError(err).Code != explaind.Canceled || explaind.AsError(err).Metadata["phase"] != "QUEUE" {
				t.Errorf("long %v: gone before: %v", long, err)
			}
			if !s.whole() {
				t.Errorf("long %v: gone before, and something is held", long)
			}

			holder, err := s.enter(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if p, err := s.enter(ctx, long); p != nil || explaind.AsError(err).Code != explaind.DeadlineExceeded {
				t.Errorf("long %v: waited too long: %v", long, err)
			}
			cancel()
			holder.leave()
			if !s.whole() {
				t.Errorf("long %v: waited too long, and something is held", long)
			}

			p, err := s.enter(t.Context(), long)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.stepAside(gone); explaind.AsError(err).Code != explaind.Canceled {
				t.Errorf("long %v: gone aside: %v", long, err)
			}
			p.leave()
			if !s.whole() {
				t.Errorf("long %v: gone aside, and something is held", long)
			}
		}
	})
}
