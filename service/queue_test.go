package service

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/explaind/explaind"
)

// of is a context of a client.
func of(ctx context.Context, client string, stream bool) context.Context {
	return explaind.WithCaller(ctx, explaind.Caller{Client: client, Stream: stream})
}

// ask enters the queue in a goroutine of its own, and holds the place for a time. Who waits is known when it returns.
func ask(t *testing.T, ctx context.Context, q *queue, hold time.Duration, after func(error)) {
	t.Helper()
	go func() {
		err := q.enter(ctx)
		if after != nil {
			after(err)
		}
		if err == nil {
			time.Sleep(hold)
			q.leave()
		}
	}()
	synctest.Wait()
}

// Flows take turns, and each is served in its order: neither a hundred streams nor a thousand calls of one client keep out the
// single call of another, and the calls and streams of one client alternate.
func TestFlowsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 1000)
		var order []string
		asks := func(name, client string, stream bool) {
			ask(t, of(t.Context(), client, stream), q, time.Second, func(err error) {
				if err != nil {
					t.Error(name, err)
				}
				order = append(order, name)
			})
		}
		asks("first", "", false)
		for range 5 {
			asks("stream", "greedy", true)
		}
		for range 5 {
			asks("call", "greedy", false)
		}
		asks("modest", "modest", false)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := "first stream call modest stream call stream call stream call stream call"
		if got := strings.Join(order, " "); got != want {
			t.Errorf("served %s\nwant   %s", got, want)
		}
		if waiting, taken := q.load(); waiting != 0 || taken != 0 || len(q.lineOf) != 0 || q.single != 0 {
			t.Errorf("%d wait, %d have a place", waiting, taken)
		}
	})
}

// A full queue refuses single requests at once, tells when to come back, and lets streams wait all the same. Whose line is
// longest makes room for others.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 4)
		var turnedAway atomic.Int64
		ask(t, t.Context(), q, time.Hour, nil)
		for range 4 {
			ask(t, of(t.Context(), "greedy", false), q, time.Second, func(err error) {
				if err != nil {
					turnedAway.Add(1)
				}
			})
		}
		e := explaind.AsError(q.enter(of(t.Context(), "greedy", false)))
		if e.Code != explaind.Unavailable || e.Reason != "OVERLOADED" || e.RetryAfter != time.Second || e.Metadata["max_queue"] != "4" {
			t.Errorf("one too many: %v, %+v", e, e)
		}
		ask(t, of(t.Context(), "greedy", true), q, time.Second, nil)
		if waiting, _ := q.load(); waiting != 5 {
			t.Errorf("%d wait, want 4 and an item of a stream", waiting)
		}
		for range 2 {
			ask(t, of(t.Context(), "modest", false), q, time.Second, func(err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if turnedAway.Load() != 2 || q.single != 4 {
			t.Errorf("%d made room; %d wait", turnedAway.Load(), q.single)
		}
		// Two and two: nobody has more than a third one would have.
		for _, client := range []string{"greedy", "modest"} {
			if e := explaind.AsError(q.enter(of(t.Context(), client, false))); e.Reason != "OVERLOADED" {
				t.Errorf("%s: %v", client, e)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if waiting, taken := q.load(); waiting != 0 || taken != 0 {
			t.Errorf("%d wait, %d have a place", waiting, taken)
		}
		// The queue has become slow: five departures a second apart, and one after an hour.
		ask(t, t.Context(), q, time.Hour, nil)
		for range 4 {
			ask(t, t.Context(), q, time.Second, nil)
		}
		if e := explaind.AsError(q.enter(t.Context())); e.RetryAfter != mostRetry {
			t.Errorf("told to come back after %v", e.RetryAfter)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A request is refused at once when its deadline would pass before its turn; the estimate recovers when the server does.
func TestHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100)
		round := func(hold time.Duration, n int) {
			for range n {
				ask(t, t.Context(), q, hold, nil)
			}
		}
		within := func(d time.Duration) *explaind.Error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			began := time.Now()
			err := q.enter(ctx)
			if err == nil {
				q.leave()
				return nil
			}
			e := explaind.AsError(err)
			if took := time.Since(began); e.Reason == "DEADLINE_TOO_SHORT" && took != 0 {
				t.Errorf("refused after %v", took)
			}
			return e
		}
		round(10*time.Second, 11) // ten departures, ten seconds apart
		time.Sleep(111 * time.Second)
		round(10*time.Second, 4) // one runs, three wait
		e := within(39 * time.Second)
		if e == nil || e.Code != explaind.DeadlineExceeded || e.Reason != "DEADLINE_TOO_SHORT" || e.Metadata["estimated_wait_ms"] != "40000" {
			t.Errorf("39 s are too short for four: %v", e)
		}
		if e := within(41 * time.Second); e != nil {
			t.Errorf("41 s are enough for four: %v", e)
		}
		// An item of a stream waits all the same.
		round(10*time.Second, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if e := explaind.AsError(q.enter(of(ctx, "", true))); e.Reason != "DEADLINE_EXCEEDED" {
			t.Errorf("an item: %v", e)
		}
		cancel()
		time.Sleep(time.Minute)
		synctest.Wait()

		// Now each takes a hundredth. Callers that allow a second each are refused at first, but for the first in line.
		var refused []bool
		for range 200 {
			round(10*time.Millisecond, 2)
			refused = append(refused, within(time.Second) != nil)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if first := slices.Index(refused, false); first < 1 || first > 100 || slices.Contains(refused[first:], true) {
			t.Errorf("refused until the %dth", first)
		}
	})
}

// Whoever stops waiting leaves at once, from the middle of a line too.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, 100)
		ask(t, t.Context(), q, time.Minute, nil)
		var served, gone atomic.Int64
		cause := &explaind.Error{Code: explaind.Unavailable, Reason: "SERVER_DRAINING"}
		for i := range 9 {
			ctx, cancel := context.WithCancelCause(t.Context())
			ask(t, ctx, q, time.Second, func(err error) {
				switch {
				case err == nil:
					served.Add(1)
				case explaind.AsError(err) == cause:
					gone.Add(1)
				default:
					t.Error(err)
				}
			})
			if i%3 == 1 {
				defer cancel(nil)
				time.AfterFunc(time.Second, func() { cancel(cause) })
			} else {
				defer cancel(nil)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if waiting, _ := q.load(); waiting != 6 || gone.Load() != 3 || served.Load() != 0 {
			t.Errorf("%d wait, %d are gone", waiting, gone.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if waiting, taken := q.load(); waiting != 0 || taken != 0 || served.Load() != 6 {
			t.Errorf("%d wait, %d hold, %d were served", waiting, taken, served.Load())
		}
	})
}

// Under all kinds of traffic at once: no more places than there are, everybody is answered once, and nothing stays taken.
func TestQueueHammer(t *testing.T) {
	const places, callers, each = 3, 24, 200
	q := newQueue(places, 8)
	var inside, most, served, refused, gone atomic.Int64
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range each {
				ctx := of(t.Context(), string(rune('a'+i%5)), i%4 == 0)
				cancel := context.CancelFunc(func() {})
				if random.IntN(2) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(2000))*time.Microsecond)
				}
				switch err := q.enter(ctx); {
				case err == nil:
					n := inside.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
					inside.Add(-1)
					served.Add(1)
					q.leave()
				case explaind.AsError(err).Code == explaind.Unavailable:
					refused.Add(1)
				case explaind.AsError(err).Code == explaind.DeadlineExceeded:
					gone.Add(1)
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if waiting, taken := q.load(); waiting != 0 || taken != 0 || q.single != 0 || q.lines.Len() != 0 || len(q.lineOf) != 0 {
		t.Errorf("%d wait, %d have a place", waiting, taken)
	}
	if served.Load()+refused.Load()+gone.Load() != callers*each || most.Load() != places || served.Load() == 0 {
		t.Errorf("served %d, refused %d, gone %d; %d at once", served.Load(), refused.Load(), gone.Load(), most.Load())
	}
}
