package batch_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
)

// Callers of all kinds at once, some of whom give up: every answer is that of a model which nobody shares, every refusal
// has its reason, and nothing is left behind.
func TestHammer(t *testing.T) {
	const callers, requests = 24, 150
	for _, o := range []batch.Options{{MaxRuns: 1}, {MaxRuns: 3, MaxRows: 4}} {
		fake, plain := newFake(), newFake()
		fake.BeforeRun = func(context.Context) error { time.Sleep(200 * time.Microsecond); return nil }
		var rows, ran, sent, good, refused atomic.Int64
		o.Ran = func(n, requests int) { rows.Add(int64(n)); ran.Add(int64(requests)) }
		m := batch.New(fake, o)
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				r := rand.New(rand.NewPCG(uint64(caller), 7))
				for range requests {
					a := anything(r)
					ctx, cancel := impatient(r)
					sent.Add(1)
					got, err := a.of(ctx, m)
					ended := ctx.Err() != nil || passed(ctx)
					cancel()
					if err != nil {
						refused.Add(1)
						if e := explaind.AsError(err); !ended || e.Code != explaind.DeadlineExceeded && e.Code != explaind.Canceled || e.Metadata["phase"] == "" {
							t.Errorf("%s: %v, in phase %q, its context has ended: %v", a.name, err, e.Metadata["phase"], ended)
						}
						continue
					}
					good.Add(1)
					want, err := a.of(context.Background(), plain)
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s of %d rows: got\n%+v\nwant\n%+v, %v", a.name, a.rows(), got, want, err)
						return
					}
				}
			})
		}
		all.Wait()
		if s := m.Stats(); s != (batch.Stats{}) {
			t.Errorf("left behind: %+v", s)
		}
		if sent.Load() != callers*requests || good.Load()+refused.Load() != sent.Load() {
			t.Errorf("%d sent, %d answered, %d refused", sent.Load(), good.Load(), refused.Load())
		}
		if good.Load() < sent.Load()/3 || refused.Load() == 0 || ran.Load() < good.Load() || int64(fake.Runs()) > ran.Load()*9/10 {
			t.Errorf("no test of sharing: %d answered, %d refused, %d requests with %d rows in %d runs", good.Load(), refused.Load(), ran.Load(), rows.Load(), fake.Runs())
		}
		if fake.Peak() > o.MaxRuns {
			t.Errorf("%d runs at once, want at most %d", fake.Peak(), o.MaxRuns)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// passed tells whether a deadline has, which the timer of the context may not know yet.
func passed(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// impatient is the context of a caller who may give up.
func impatient(r *rand.Rand) (context.Context, context.CancelFunc) {
	after := time.Duration(r.IntN(6000)) * time.Microsecond
	switch r.IntN(4) {
	case 0:
		return context.WithTimeout(context.Background(), after)
	case 1:
		ctx, cancel := context.WithCancel(context.Background())
		timer := time.AfterFunc(after, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	default:
		return context.WithCancel(context.Background())
	}
}

// No run begins for a request whose deadline has passed, however many there are.
func TestNoRunAfterTheDeadline(t *testing.T) {
	fake := newFake()
	spy := &deadlines{Model: fake}
	m := batch.New(spy, batch.Options{MaxRuns: 1, MaxRows: 2}) // so that they wait longer than the clock may be off
	var all sync.WaitGroup
	for caller := range 40 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(caller), 9))
			for range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(20_000))*time.Microsecond)
				x := picture(r, 1, imageSize)
				deadline, _ := ctx.Deadline()
				spy.due.Store(x.Data[0], deadline)
				_, _ = m.Predict(ctx, x)
				cancel()
			}
		})
	}
	all.Wait()
	if spy.late.Load() > 0 {
		t.Errorf("%d of %d rows were computed in vain", spy.late.Load(), spy.rows.Load())
	}
	if spy.rows.Load() < 100 || spy.rows.Load() > 1900 {
		t.Errorf("no test of deadlines: %d rows of 2000 were computed", spy.rows.Load())
	}
}
