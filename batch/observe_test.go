package batch_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/fakemodel"
)

// notes is an observer that writes down.
type notes struct {
	mu     sync.Mutex
	events []explaind.Event
	refs   []explaind.ModelRef
}

func (n *notes) Answers(ref explaind.ModelRef) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refs = append(n.refs, ref)
}

func (n *notes) Observe(e explaind.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
}

// watched tells of its runs on the context that it is given.
type watched struct{ *fakemodel.Model }

func (m *watched) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	began := time.Now()
	p, err := m.Model.Predict(ctx, images)
	explaind.Observe(ctx, explaind.PhaseForward, began, images.Shape[0])
	explaind.ObserverOf(ctx).Answers(explaind.ModelRef{Name: "watched"})
	return p, err
}

func TestObserversOfSharedRuns(t *testing.T) {
	fake := newFake()
	m, g := batch.New(&watched{fake}, batch.Options{MaxRuns: 1}), newGate(fake)
	hold(t, m, g)
	r := draw()
	all := []*notes{{}, {}, {}}
	var answers []<-chan answered
	for i, n := range all {
		answers = append(answers, enqueue(explaind.WithObserver(t.Context(), n), t, m, predict(picture(r, 1+i, imageSize))))
	}
	time.Sleep(5 * time.Millisecond)
	g.release()
	for i := range all {
		receive(t, answers[i])
	}
	for i, n := range all {
		if len(n.events) != 2 || n.events[0].Phase != explaind.PhaseBatch || n.events[1].Phase != explaind.PhaseForward {
			t.Fatalf("caller %d saw %+v", i, n.events)
		}
		if n.events[0].Rows != 6 || n.events[1].Rows != 6 || n.events[0].Took < 5*time.Millisecond {
			t.Errorf("caller %d saw %+v", i, n.events)
		}
		if len(n.refs) != 1 {
			t.Errorf("caller %d saw models %+v", i, n.refs)
		}
	}
}

func TestObserverWithoutCompany(t *testing.T) {
	m := batch.New(&watched{newFake()}, batch.Options{})
	n := &notes{}
	if _, err := m.Predict(explaind.WithObserver(t.Context(), n), picture(draw(), 2, imageSize)); err != nil {
		t.Fatal(err)
	}
	if len(n.events) != 2 || n.events[0].Phase != explaind.PhaseBatch || n.events[0].Rows != 2 || n.events[0].Took > time.Second {
		t.Errorf("saw %+v", n.events)
	}
}
