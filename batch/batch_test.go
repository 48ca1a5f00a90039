package batch_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/internal/fakemodel"
)

func draw() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// busy is a model of one run at a time, which is under way until the gate opens.
func busy(t *testing.T, fake *fakemodel.Model, o batch.Options) (*batch.Model, *gate, *log) {
	t.Helper()
	runs := &log{}
	o.MaxRuns, o.Ran = 1, runs.ran
	m, g := batch.New(fake, o), newGate(fake)
	hold(t, m, g)
	return m, g, runs
}

// together queues requests at a busy model, opens the gate, and compares answers and runs.
func together(t *testing.T, fake *fakemodel.Model, o batch.Options, runs []string, asks ...ask) {
	t.Helper()
	m, g, log := busy(t, fake, o)
	answers := queue(t, m, asks...)
	g.release()
	for i, a := range asks {
		mustEqual(t, a, receive(t, answers[i]))
	}
	log.mustBe(t, runs...)
	if s := m.Stats(); s.WaitingRequests != 0 || s.WaitingRows != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

func TestRowsOfOneKindShareARun(t *testing.T) {
	r := draw()
	x := func(rows int) *explaind.Tensor { return picture(r, rows, imageSize) }
	everything := explaind.NeedsGradients | explaind.NeedsInputGradients | explaind.NeedsHead | explaind.NeedsClassWeights
	second := explaind.Target{Rank: 2, Versus: -1}
	against := explaind.Target{Class: 1, Versus: 2}
	for name, row := range map[string]struct {
		asks []ask
		runs []string
	}{
		"predict":        {[]ask{predict(x(1)), predict(x(3)), predict(x(2))}, []string{"6/3"}},
		"outputs":        {[]ask{{name: "outputs", images: x(1)}, {name: "outputs", images: x(2)}}, []string{"3/2"}},
		"other size":     {[]ask{predict(x(1)), predict(picture(r, 1, 4)), predict(x(1))}, []string{"2/2", "1/1"}},
		"other question": {[]ask{predict(x(1)), {name: "outputs", images: x(1)}, predict(x(1))}, []string{"2/2", "1/1"}},
		"from a layer":   {[]ask{{name: "from", images: x(1)}, {name: "from", images: x(1)}}, []string{"1/1", "1/1"}},
		"explain": {[]ask{
			explain(x(1), explaind.ScoreLogit, everything, features, best),
			explain(x(2), explaind.ScoreLogit, everything, features, against),
		}, []string{"3/2"}},
		"explain the input": {[]ask{
			explain(x(2), explaind.ScoreLogit, explaind.NeedsInputGradients, nil, best),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsInputGradients, nil, against),
		}, []string{"3/2"}},
		"several layers": {[]ask{
			explain(x(2), explaind.ScoreProbability, everything, []string{"frozen", "block/features"}, best),
			explain(x(1), explaind.ScoreProbability, everything, []string{"frozen", "block/features"}, best),
		}, []string{"3/2"}},
		"several targets": {[]ask{
			explain(x(2), explaind.ScoreLogit, explaind.NeedsGradients, features, best, second),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, second),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best, second, against),
		}, []string{"4/3"}},
		"one target and several": {[]ask{
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best, second),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best),
		}, []string{"2/2", "1/1"}},
		"several targets, no gradients": {[]ask{
			explain(x(1), explaind.ScoreLogit, explaind.NeedsClassWeights, features, best),
			explain(x(1), explaind.ScoreLogit, explaind.NeedsClassWeights, features, best, second),
		}, []string{"2/2"}},
		"other score": {[]ask{
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best),
			explain(x(1), explaind.ScoreProbability, explaind.NeedsGradients, features, best),
		}, []string{"1/1", "1/1"}},
		"other needs": {[]ask{
			explain(x(1), explaind.ScoreLogit, explaind.NeedsGradients, features, best),
			explain(x(1), explaind.ScoreLogit, everything, features, best),
		}, []string{"1/1", "1/1"}},
		"other layers": {[]ask{
			explain(x(1), explaind.ScoreLogit, 0, features, best),
			explain(x(1), explaind.ScoreLogit, 0, []string{"frozen"}, best),
			explain(x(1), explaind.ScoreLogit, 0, []string{"block/features", "frozen"}, best),
			explain(x(1), explaind.ScoreLogit, 0, nil, best),
		}, []string{"1/1", "1/1", "1/1", "1/1"}},
		"more than a run has":       {[]ask{predict(x(5)), predict(x(4)), predict(x(3)), predict(x(1))}, []string{"8/2", "5/2"}},
		"one with more than a run":  {[]ask{predict(x(20)), predict(x(1)), predict(x(1))}, []string{"20/1", "2/2"}},
		"targets count, not images": {[]ask{explain(x(2), 0, explaind.NeedsGradients, features, best, second, against), explain(x(1), 0, explaind.NeedsGradients, features, best, second, against)}, []string{"2/1", "1/1"}},
		"layer of unknown size":     {[]ask{explain(x(1), 0, 0, []string{"block/features/AvgPool:0"}, best), explain(x(1), 0, 0, []string{"block/features/AvgPool:0"}, best)}, []string{"1/1", "1/1"}},
		"large pictures, few a run": {[]ask{predict(picture(r, 1, 700)), predict(picture(r, 1, 700)), predict(picture(r, 1, 700))}, []string{"2/2", "1/1"}},
		"huge pictures, one by one": {[]ask{predict(picture(r, 1, 1200)), predict(picture(r, 1, 1200))}, []string{"1/1", "1/1"}},
	} {
		t.Run(name, func(t *testing.T) { together(t, newFake(), batch.Options{}, row.runs, row.asks...) })
	}
}

func TestMaxRows(t *testing.T) {
	r := draw()
	var asks []ask
	for range 7 {
		asks = append(asks, predict(picture(r, 1, imageSize)))
	}
	together(t, newFake(), batch.Options{MaxRows: 3}, []string{"3/3", "3/3", "1/1"}, asks...)
	together(t, newFake(), batch.Options{MaxRows: 1}, []string{"1/1", "1/1"}, asks[:2]...)
}

// A model of a fixed batch size computes that many rows anyway, and others after them.
func TestFixedBatchSize(t *testing.T) {
	r := draw()
	var asks []ask
	for range 7 {
		asks = append(asks, predict(picture(r, 1, imageSize)))
	}
	fake := newFake()
	fake.Spec().Input.Batch = 4
	together(t, fake, batch.Options{MaxRows: 2}, []string{"4/4", "3/3"}, asks...)
	fake = newFake()
	fake.Spec().Input.Batch = 1
	together(t, fake, batch.Options{}, []string{"1/1", "1/1"}, asks[:2]...)
}

// Evidence is copied, so a run has so much of it: 16 Mi numbers.
func TestMuchEvidence(t *testing.T) {
	r := draw()
	fake := newFake()
	fake.Spec().Layers[1].Channels = 100_000 // × 4 × 4 × 2, five rows
	var asks []ask
	for range 6 {
		asks = append(asks, explain(picture(r, 1, imageSize), explaind.ScoreLogit, explaind.NeedsGradients, features, best))
	}
	together(t, fake, batch.Options{}, []string{"5/5", "1/1"}, asks...)
	fake = newFake()
	fake.Spec().Layers[1].Channels, fake.Spec().Layers[1].Height, fake.Spec().Layers[1].Width, fake.Spec().Layers[1].Stride = 100_000, 0, 0, 4
	together(t, fake, batch.Options{}, []string{"6/6"}, asks...) // × 2 × 2 × 2
}

// An output without one row for each image cannot be shared out.
func TestOutputsWithoutRows(t *testing.T) {
	r := draw()
	asks := []ask{{name: "outputs", images: picture(r, 1, imageSize)}, {name: "outputs", images: picture(r, 1, imageSize)}}
	for _, shape := range [][]int{{}, {1, 3}, {4}} {
		fake := newFake()
		fake.Spec().Outputs[0].Shape = shape
		together(t, fake, batch.Options{}, []string{"1/1", "1/1"}, asks...)
	}
}

// What the spec promises may still not come true; then each runs alone.
func TestAnswersThatCannotBeSharedOut(t *testing.T) {
	r := draw()
	fake := newFake()
	runs := &log{}
	m, g := batch.New(&lastRowLost{fake}, batch.Options{MaxRuns: 1, Ran: runs.ran}), newGate(fake)
	hold(t, m, g)
	asks := []ask{
		{name: "outputs", images: picture(r, 1, imageSize)}, {name: "outputs", images: picture(r, 1, imageSize)},
		explain(picture(r, 1, imageSize), 0, 0, nil, best), explain(picture(r, 1, imageSize), 0, 0, nil, best),
	}
	answers := queue(t, m, asks...)
	g.release()
	for i, a := range asks {
		mustEqual(t, a, receive(t, answers[i]))
	}
	runs.mustBe(t, "2/2", "1/1", "1/1", "2/2", "1/1", "1/1")
}

// lastRowLost forgets the last of several rows.
type lastRowLost struct{ *fakemodel.Model }

func (m *lastRowLost) PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	p, err := m.Model.PredictOutputs(ctx, images)
	if err == nil && images.Shape[0] > 1 {
		p.Outputs[0].Tensor = p.Outputs[0].Tensor.Slice(0, 1)
	}
	return p, err
}

func (m *lastRowLost) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	e, err := m.Model.Explain(ctx, r)
	if err == nil && r.Images.Shape[0] > 1 {
		e.Evidence = e.Evidence[:1]
	}
	return e, err
}

// What a model refuses is refused as it would be without company.
func TestMalformedRequestsRunAlone(t *testing.T) {
	r := draw()
	short := picture(r, 1, imageSize)
	short.Data = short.Data[:5]
	untargeted := explain(picture(r, 1, imageSize), 0, 0, features, best)
	untargeted.explain.Targets = nil
	fake := newFake()
	m, g, runs := busy(t, fake, batch.Options{})
	fake.BeforeRun = func(context.Context) error {
		return explaind.Errorf(explaind.InvalidArgument, "SHAPE_MISMATCH", "no")
	}
	answers := queue(t, m, predict(short), predict(short), predict(&explaind.Tensor{}), predict(nil), untargeted, untargeted)
	g.release()
	for _, a := range answers {
		if a := receive(t, a); explaind.AsError(a.err).Reason != "SHAPE_MISMATCH" {
			t.Error(a.err)
		}
	}
	runs.mustBe(t, "1/1", "1/1", "0/1", "0/1", "1/1", "1/1")
}

// noOutputs hides PredictOutputs.
type noOutputs struct{ explaind.Model }

func TestModelWithoutOutputs(t *testing.T) {
	m := batch.New(noOutputs{newFake()}, batch.Options{})
	if _, err := m.PredictOutputs(t.Context(), picture(draw(), 1, imageSize)); explaind.AsError(err).Reason != "NO_RAW_OUTPUTS" {
		t.Error(err)
	}
}

func TestSpecAndClose(t *testing.T) {
	fake := newFake()
	m := batch.New(fake, batch.Options{})
	if m.Spec() != fake.Spec() {
		t.Error("not the model's own spec")
	}
	if err := m.Close(); err != nil || !fake.Closed() {
		t.Errorf("closed: %v, %v", fake.Closed(), err)
	}
}

// MaxRuns runs are under way at once, and no more.
func TestMaxRuns(t *testing.T) {
	fake := newFake()
	m, g := batch.New(fake, batch.Options{MaxRuns: 3}), newGate(fake)
	for range 3 {
		hold(t, m, g)
	}
	answers := queue(t, m, predict(picture(draw(), 2, imageSize)))
	if s, want := m.Stats(), (batch.Stats{WaitingRequests: 1, WaitingRows: 2, Runs: 3}); s != want {
		t.Errorf("stats %+v, want %+v", s, want)
	}
	g.release()
	if a := receive(t, answers[0]); a.err != nil {
		t.Error(a.err)
	}
	if fake.Peak() != 3 {
		t.Errorf("%d runs at once, want 3", fake.Peak())
	}
}

func TestDefaultRuns(t *testing.T) {
	if n := batch.DefaultRuns(); n < 1 {
		t.Error(n)
	}
}
