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
	o := s.options
	all := map[*semaphore.Weighted]int64{s.turns: longTurns, s.cores: 1}
	for _, c := range []*class{s.short, s.long} {
		if waiting, taken := c.queue.load(); waiting != 0 || taken != 0 || c.queue.lines.Len() != 0 || len(c.queue.lineOf) != 0 {
			return false
		}
		all[c.pixels], all[c.evidence] = 2*int64(o.Images.MaxPixels), 2*int64(o.MaxEvidence)
	}
	for of, most := range all {
		if !of.TryAcquire(most) {
			return false
		}
		of.Release(most)
	}
	return len(s.clients.known) == 0
}

// longOne is a long request that has its first turn.
func longOne(t *testing.T, s *Service) *place {
	t.Helper()
	p, err := s.enter(t.Context(), true)
	if err == nil {
		err = p.ready(t.Context(), 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Between two passes those have their turn who waited for one, and if nobody does it goes on at once.
func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: 1})
		p := longOne(t, s)
		other := longOne(t, s) // has the other turn, for long
		began := time.Now()
		if err := p.pass(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("nobody waits: %v after %v", err, time.Since(began))
		}
		for range 3 {
			go func() {
				next := longOne(t, s)
				time.Sleep(time.Second)
				next.leave()
			}()
		}
		synctest.Wait()
		if err := p.pass(t.Context()); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("three wait: %v after %v", err, time.Since(began))
		}
		p.pause()
		if err := longOne(t, s).pass(t.Context()); err != nil {
			t.Error(err)
		}
		p.leave()
		other.leave()
		if waiting, taken := s.long.queue.load(); waiting != 0 || taken != 1 {
			t.Errorf("%d wait, %d have a place", waiting, taken)
		}
	})
}

// No more long requests begin than may be held, all of them get their turn, and short ones do not notice them.
func TestLongOnesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: 2, MaxQueue: 3})
		var held, most, passes, mostPasses atomic.Int64
		for range 11 {
			go func() {
				p := longOne(t, s)
				defer p.leave()
				most.Store(max(most.Load(), held.Add(1)))
				for range 5 {
					mostPasses.Store(max(mostPasses.Load(), passes.Add(1)))
					time.Sleep(time.Second)
					passes.Add(-1)
					if err := p.pass(t.Context()); err != nil {
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
			if err := p.ready(t.Context(), 1); err != nil || time.Since(began) != 0 {
				t.Errorf("a short request waited for %v, %v", time.Since(began), err)
			}
			p.leave()
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if most.Load() != longTurns*longPerTurn || mostPasses.Load() != longTurns || held.Load() != 0 || !s.whole() {
			t.Errorf("%d long ones at once, %d passes, %d still held", most.Load(), mostPasses.Load(), held.Load())
		}
	})
}

// Whoever stops waiting, wherever that is, leaves nothing taken.
func TestPlacesWhenTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxInFlight: longTurns * longPerTurn, MaxEvidence: 10})
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, long := range []bool{false, true} {
			if p, err := s.enter(gone, long); p != nil || explaind.AsError(err).Code != explaind.Canceled || explaind.AsError(err).Metadata["phase"] != "QUEUE" {
				t.Errorf("long %v: gone before: %v", long, err)
			}
			if !s.whole() {
				t.Errorf("long %v: gone before, and something is held", long)
			}

			var holders []*place
			for range longTurns * longPerTurn {
				holder, err := s.enter(t.Context(), long)
				if err != nil {
					t.Fatal(err)
				}
				holders = append(holders, holder)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			if p, err := s.enter(ctx, long); p != nil || explaind.AsError(err).Code != explaind.DeadlineExceeded || time.Since(began) != time.Second {
				t.Errorf("long %v: waited %v: %v", long, time.Since(began), err)
			}
			cancel()
			for _, h := range holders {
				h.leave()
			}
			if !s.whole() {
				t.Errorf("long %v: waited too long, and something is held", long)
			}

			p, err := s.enter(t.Context(), long)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.ready(gone, 10); explaind.AsError(err).Code != explaind.Canceled {
				t.Errorf("long %v: gone before its evidence: %v", long, err)
			}
			if err := p.pass(gone); explaind.AsError(err).Code != explaind.Canceled {
				t.Errorf("long %v: gone between passes: %v", long, err)
			}
			p.leave()
			if !s.whole() {
				t.Errorf("long %v: gone aside, and something is held", long)
			}
		}
	})
}

// Pictures and evidence of all requests together are bounded; what is too much for now waits.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(nil, Options{MaxEvidence: 100})
		var places []*place
		enter := func(numbers int, ctx context.Context) error {
			p, err := s.enter(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, p)
			return p.ready(ctx, numbers)
		}
		for _, n := range []int{100, 60, 40} {
			if err := enter(n, t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := enter(1, ctx); explaind.AsError(err).Code != explaind.DeadlineExceeded || explaind.AsError(err).Metadata["phase"] != "QUEUE" {
			t.Errorf("one more: %v", err)
		}
		places[1].leave()
		if err := enter(60, t.Context()); err != nil {
			t.Error(err)
		}
		for _, p := range places {
			p.leave()
		}
		if !s.whole() {
			t.Error("something is held")
		}
	})
}
