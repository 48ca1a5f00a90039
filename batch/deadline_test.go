package batch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
)

// enqueue sends one request to a busy model and waits until it is in line.
func enqueue(ctx context.Context, t *testing.T, m *batch.Model, a ask) <-chan answered {
	t.Helper()
	before := m.Stats().WaitingRequests
	answer := send(ctx, m, a)
	eventually(t, "the request waits", func() bool { return m.Stats().WaitingRequests == before+1 })
	return answer
}

func TestEndedBeforeItCame(t *testing.T) {
	fake := newFake()
	m := batch.New(fake, batch.Options{})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	mustFail(t, receive(t, send(canceled, m, predict(picture(draw(), 1, imageSize)))), explaind.Canceled, "QUEUE")
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	mustFail(t, receive(t, send(late, m, predict(picture(draw(), 1, imageSize)))), explaind.DeadlineExceeded, "QUEUE")
	if fake.Runs() != 0 {
		t.Errorf("%d runs", fake.Runs())
	}
}

// lateTimer is a context whose deadline has passed before its timer noticed.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestDeadlineCountsNotItsTimer(t *testing.T) {
	fake := newFake()
	m := batch.New(fake, batch.Options{})
	mustFail(t, receive(t, send(lateTimer{t.Context()}, m, predict(picture(draw(), 1, imageSize)))), explaind.DeadlineExceeded, "QUEUE")
	if fake.Runs() != 0 {
		t.Errorf("%d runs", fake.Runs())
	}
}

// Who waits and is canceled returns within 10 ms, and its place in line is free.
func TestCancelInLine(t *testing.T) {
	m, g, runs := busy(t, newFake(), batch.Options{})
	r := draw()
	var took []time.Duration
	const tries = 50
	for range tries {
		ctx, cancel := context.WithCancel(t.Context())
		answer := enqueue(ctx, t, m, predict(picture(r, 1, imageSize)))
		began := time.Now()
		cancel()
		mustFail(t, receive(t, answer), explaind.Canceled, "QUEUE")
		took = append(took, time.Since(began))
		if s := m.Stats(); s.WaitingRequests != 0 {
			t.Fatalf("still in line: %+v", s)
		}
	}
	slices.Sort(took)
	if median := took[tries/2]; median > 10*time.Millisecond { // a busy machine may hold up some
		t.Errorf("the median of %d tries took %v", tries, median)
	}
	g.release()
	eventually(t, "the run is given back", func() bool { return m.Stats() == batch.Stats{} })
	runs.mustBe(t)
}

// No run begins for those whose deadline passed in line; the others' run goes on without them.
func TestDeadlineInLine(t *testing.T) {
	m, g, runs := busy(t, newFake(), batch.Options{})
	r := draw()
	brief, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	late := []<-chan answered{enqueue(brief, t, m, predict(picture(r, 1, imageSize))), enqueue(brief, t, m, predict(picture(r, 2, imageSize)))}
	kept := predict(picture(r, 1, imageSize))
	answer := enqueue(t.Context(), t, m, kept)
	for _, a := range late {
		mustFail(t, receive(t, a), explaind.DeadlineExceeded, "QUEUE")
	}
	g.release()
	mustEqual(t, kept, receive(t, answer))
	runs.mustBe(t, "1/1")
}

// held is a group that shares a run under way.
func held(t *testing.T, contexts []context.Context, asks []ask) (answers []<-chan answered, inRun context.Context, release func()) {
	t.Helper()
	fake := newFake()
	m, first := batch.New(fake, batch.Options{MaxRuns: 1}), newGate(fake)
	hold(t, m, first)
	for i, a := range asks {
		answers = append(answers, enqueue(contexts[i], t, m, a))
	}
	begun, open := make(chan context.Context), make(chan struct{})
	fake.BeforeRun = func(ctx context.Context) error {
		begun <- ctx
		<-open
		return explaind.FromContext(ctx)
	}
	first.release()
	return answers, <-begun, func() { close(open) }
}

func several(t *testing.T, n int) (contexts []context.Context, cancels []context.CancelFunc, asks []ask) {
	t.Helper()
	r := draw()
	for range n {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		contexts, cancels, asks = append(contexts, ctx), append(cancels, cancel), append(asks, predict(picture(r, 1, imageSize)))
	}
	return contexts, cancels, asks
}

// Who is canceled while others compute its answer returns at once; their run goes on.
func TestCancelWhileOthersCompute(t *testing.T) {
	contexts, cancels, asks := several(t, 3)
	answers, run, release := held(t, contexts, asks)
	cancels[1]()
	mustFail(t, receive(t, answers[1]), explaind.Canceled, "RUN") // the run is still held
	if run.Err() != nil {
		t.Error("the run ends with one of its callers")
	}
	release()
	mustEqual(t, asks[0], receive(t, answers[0]))
	mustEqual(t, asks[2], receive(t, answers[2]))
}

// The one in whose goroutine the run takes place stays to its end, and is told then.
func TestCancelOfTheLeader(t *testing.T) {
	contexts, cancels, asks := several(t, 2)
	answers, run, release := held(t, contexts, asks)
	cancels[0]()
	if run.Err() != nil {
		t.Error("the run ends with one of its callers")
	}
	release()
	mustFail(t, receive(t, answers[0]), explaind.Canceled, "RUN")
	mustEqual(t, asks[1], receive(t, answers[1]))
}

// A run ends when nobody waits for it any more.
func TestCancelOfAll(t *testing.T) {
	contexts, cancels, asks := several(t, 3)
	answers, run, release := held(t, contexts, asks)
	for _, cancel := range cancels {
		cancel()
	}
	<-run.Done()
	if !errors.Is(run.Err(), context.Canceled) {
		t.Error(run.Err())
	}
	release()
	for _, a := range answers {
		mustFail(t, receive(t, a), explaind.Canceled, "RUN")
	}
}

// An answer that comes after its caller's end is none.
func TestEndDuringARunAlone(t *testing.T) {
	contexts, cancels, asks := several(t, 1)
	answers, run, release := held(t, contexts, asks)
	cancels[0]()
	<-run.Done()
	release()
	mustFail(t, receive(t, answers[0]), explaind.Canceled, "RUN")
}

// Those who wait for their second run, alone, may leave the line as well.
func TestCancelBeforeRunningOnceMore(t *testing.T) {
	contexts, cancels, asks := several(t, 3)
	fake := newFake()
	m, first := batch.New(fake, batch.Options{MaxRuns: 1}), newGate(fake)
	hold(t, m, first)
	var answers []<-chan answered
	for i, a := range asks {
		answers = append(answers, enqueue(contexts[i], t, m, a))
	}
	begun, open := make(chan struct{}), make(chan struct{})
	runs := 0
	fake.BeforeRun = func(context.Context) error {
		if runs++; runs == 1 {
			return explaind.Errorf(explaind.Internal, "RUN_FAILED", "shared")
		}
		begun <- struct{}{}
		<-open
		return nil
	}
	first.release()
	<-begun // the leader alone
	cancels[1]()
	mustFail(t, receive(t, answers[1]), explaind.Canceled, "RUN")
	open <- struct{}{}
	mustEqual(t, asks[0], receive(t, answers[0]))
	<-begun // the third
	close(open)
	mustEqual(t, asks[2], receive(t, answers[2]))
}
