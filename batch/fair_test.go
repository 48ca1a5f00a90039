package batch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
)

// Who has waited longest is next, whatever it asks: a steady stream of one kind does not keep another kind out.
func TestNoKindStarvesAnother(t *testing.T) {
	fake := newFake()
	fake.BeforeRun = func(context.Context) error { time.Sleep(time.Millisecond); return nil }
	m := batch.New(fake, batch.Options{MaxRuns: 1})
	ctx, stop := context.WithCancel(t.Context())
	var ended []<-chan answered
	for range 24 { // three full runs of one kind are always there
		done := make(chan answered, 1)
		go func() {
			x := picture(draw(), 1, imageSize)
			for ctx.Err() == nil {
				_, _ = m.Predict(context.Background(), x)
			}
			done <- answered{}
		}()
		ended = append(ended, done)
	}
	eventually(t, "the model is busy", func() bool { return m.Stats().WaitingRequests >= 16 })
	var passedBy []int
	for range 21 {
		before := fake.Runs()
		a := explain(picture(draw(), 1, imageSize), explaind.ScoreLogit, 0, features, best)
		mustEqual(t, a, receive(t, send(t.Context(), m, a)))
		passedBy = append(passedBy, fake.Runs()-before)
	}
	if slices.Sort(passedBy); passedBy[10] > 8 { // a busy machine may be late to send some
		t.Errorf("the median of the runs that passed by is %d, of which about 4 were asked for before: %v", passedBy[10], passedBy)
	}
	stop()
	for _, done := range ended {
		receive(t, done)
	}
}

// A long request sends full passes, one after the other: those who came meanwhile wait for one of them.
func TestShortRequestsWaitForOnePass(t *testing.T) {
	m, g, runs := busy(t, newFake(), batch.Options{})
	r := draw()
	pass, short, next := predict(picture(r, 8, imageSize)), predict(picture(r, 1, imageSize)), predict(picture(r, 8, imageSize))
	answers := queue(t, m, pass, short, next, short)
	g.release()
	for i, a := range []ask{pass, short, next, short} {
		mustEqual(t, a, receive(t, answers[i]))
	}
	runs.mustBe(t, "8/1", "2/2", "8/1")
}

// stepper holds every run until it is let go, the first first.
type stepper struct {
	begun chan struct{}
	letGo chan struct{}
}

// Two runs of one kind are of about one size: a few rows wait for more of them, or for the end of the other run, while those
// of another kind take the free run.
func TestRunsOfAKindShareAlike(t *testing.T) {
	fake, runs := newFake(), &log{}
	s := stepper{make(chan struct{}, 100), make(chan struct{})}
	fake.BeforeRun = func(context.Context) error {
		s.begun <- struct{}{}
		<-s.letGo
		return nil
	}
	m := batch.New(fake, batch.Options{MaxRuns: 2, Ran: runs.ran})
	r := draw()
	one := func() ask { return predict(picture(r, 1, imageSize)) }
	first := send(t.Context(), m, one())
	<-s.begun
	second := send(t.Context(), m, one()) // as large as the first
	<-s.begun
	answers := queue(t, m, one(), one(), one(), one(), one(), one())
	s.letGo <- struct{}{}
	receive(t, first)
	<-s.begun // four of the seven that are there
	s.letGo <- struct{}{}
	receive(t, second)
	waiting := func(want int) {
		t.Helper()
		if s := m.Stats(); s.WaitingRequests != want || s.Runs != 1 {
			t.Errorf("stats %+v, want %d in line and a free run", s, want)
		}
	}
	waiting(2)
	other := ask{name: "outputs", images: picture(r, 1, imageSize)}
	answer := send(t.Context(), m, other)
	<-s.begun // at once
	answers = append(answers, queue(t, m, one(), one())...)
	s.letGo <- struct{}{} // the four
	for _, a := range answers[:4] {
		receive(t, a)
	}
	<-s.begun             // half of the four that wait
	s.letGo <- struct{}{} // the other kind
	mustEqual(t, other, receive(t, answer))
	<-s.begun // the other half
	close(s.letGo)
	for _, a := range answers[4:] {
		if a := receive(t, a); a.err != nil {
			t.Error(a.err)
		}
	}
	runs.mustBe(t, "1/1", "4/4", "1/1", "2/2", "2/2")
}
