package batch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/fakemodel"
)

const imageSize = 8

func newFake() *fakemodel.Model { return fakemodel.New(imageSize, "red", "green", "blue") }

// picture is rows images whose values nobody else's have.
func picture(r *rand.Rand, rows, side int) *explaind.Tensor {
	x := explaind.NewTensor(rows, side, side, 3)
	for i := range x.Data {
		x.Data[i] = r.Float32()
	}
	return x
}

// ask is one request of any kind.
type ask struct {
	name    string
	images  *explaind.Tensor
	explain *explaind.ExplainRequest // of explain
}

// of brings the answer of a model.
func (a ask) of(ctx context.Context, m explaind.Model) (any, error) {
	switch a.name {
	case "explain":
		return m.Explain(ctx, a.explain)
	case "outputs":
		return m.(interface {
			PredictOutputs(context.Context, *explaind.Tensor) (*explaind.Prediction, error)
		}).PredictOutputs(ctx, a.images)
	case "from":
		return m.PredictFrom(ctx, &explaind.Evidence{Layer: "block/features"}, a.images)
	default:
		return m.Predict(ctx, a.images)
	}
}

func (a ask) rows() int { return a.images.Shape[0] }

func predict(x *explaind.Tensor) ask { return ask{name: "predict", images: x} }

// explain asks for the same targets in every row.
func explain(x *explaind.Tensor, score explaind.Score, needs explaind.Needs, layers []string, targets ...explaind.Target) ask {
	r := &explaind.ExplainRequest{Images: x, Layers: layers, Score: score, Needs: needs}
	for range x.Shape[0] {
		r.Targets = append(r.Targets, targets)
	}
	return ask{name: "explain", images: x, explain: r}
}

var (
	best     = explaind.Target{Rank: 1, Versus: -1}
	features = []string{"block/features"}
)

// anything draws a request; few kinds, so that some of those which run at a time fit together.
func anything(r *rand.Rand) ask {
	x := picture(r, 1+r.IntN(3), []int{imageSize, 2 * imageSize}[r.IntN(2)])
	switch r.IntN(6) {
	case 0:
		return ask{name: "outputs", images: x}
	case 1:
		return ask{name: "from", images: x}
	case 2, 3:
		return predict(x)
	}
	needs := []explaind.Needs{explaind.NeedsGradients, explaind.NeedsInputGradients | explaind.NeedsHead | explaind.NeedsClassWeights, 0}[r.IntN(3)]
	layers := [][]string{nil, features, {"block/features", "frozen"}}[r.IntN(3)]
	a := explain(x, explaind.Score(r.IntN(2)), needs, layers)
	for row := range a.explain.Targets { // not the same in every row
		var targets []explaind.Target
		for range []int{1, 1, 1, 2, 3}[r.IntN(5)] {
			targets = append(targets, explaind.Target{Class: r.IntN(3), Rank: r.IntN(4), Versus: r.IntN(3) - 1})
		}
		a.explain.Targets[row] = targets
	}
	return a
}

// answered is one answer, and the time it took.
type answered struct {
	value any
	err   error
	took  time.Duration
}

// send asks in a goroutine of its own.
func send(ctx context.Context, m explaind.Model, a ask) <-chan answered {
	out := make(chan answered, 1)
	go func() {
		began := time.Now()
		value, err := a.of(ctx, m)
		out <- answered{value, err, time.Since(began)}
	}()
	return out
}

// receive fails the test rather than wait for ever.
func receive(t *testing.T, from <-chan answered) answered {
	t.Helper()
	select {
	case a := <-from:
		return a
	case <-time.After(10 * time.Second):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

// gate holds runs until it is opened.
type gate struct {
	begun chan struct{} // one element for every run that is held
	open  chan struct{}
	once  sync.Once
}

func newGate(m *fakemodel.Model) *gate {
	g := &gate{begun: make(chan struct{}, 1000), open: make(chan struct{})}
	m.BeforeRun = func(context.Context) error {
		g.begun <- struct{}{}
		<-g.open
		return nil
	}
	return g
}

// release lets all runs go on, those to come too.
func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// hold makes a model busy with a run of its own until the gate is opened.
func hold(t *testing.T, m *batch.Model, g *gate) {
	t.Helper()
	first := send(context.Background(), m, predict(explaind.NewTensor(1, imageSize, imageSize, 3)))
	<-g.begun
	t.Cleanup(func() {
		g.release()
		if a := receive(t, first); a.err != nil {
			t.Error(a.err)
		}
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// queue sends requests to a busy model one after the other, so that they wait in this order.
func queue(t *testing.T, m *batch.Model, asks ...ask) []<-chan answered {
	t.Helper()
	var answers []<-chan answered
	for _, a := range asks {
		before := m.Stats().WaitingRequests
		answers = append(answers, send(t.Context(), m, a))
		eventually(t, "the request waits", func() bool { return m.Stats().WaitingRequests == before+1 })
	}
	return answers
}

// log writes down the runs of a model.
type log struct {
	mu   sync.Mutex
	runs []string // "rows/requests"
}

func (l *log) ran(rows, requests int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = append(l.runs, fmt.Sprintf("%d/%d", rows, requests))
}

// mustBe compares the runs after the first, which held the model.
func (l *log) mustBe(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.runs[1:]; !slices.Equal(got, want) {
		t.Errorf("runs (rows/requests) %v, want %v", got, want)
	}
}

// mustEqual compares an answer with that of a model which nobody shares.
func mustEqual(t *testing.T, a ask, got answered) {
	t.Helper()
	if got.err != nil {
		t.Fatalf("%s: %v", a.name, got.err)
	}
	want, err := a.of(context.Background(), newFake())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.value, want) {
		t.Errorf("%s of %d rows: got\n%+v\nwant\n%+v", a.name, a.rows(), got.value, want)
	}
}

// mustFail wants an error of a code and phase.
func mustFail(t *testing.T, a answered, code explaind.Code, phase string) {
	t.Helper()
	e := explaind.AsError(a.err)
	if a.err == nil || e.Code != code || e.Metadata["phase"] != phase {
		t.Errorf("error %v (code %d, %v), want code %d in phase %s", a.err, e.Code, e.Metadata, code, phase)
	}
}
