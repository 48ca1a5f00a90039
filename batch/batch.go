// Package batch is an explaind.Model around another one: it gathers the rows of several callers into one run. It has no
// timer and no goroutine of its own. While nothing runs, a caller runs at once, in its own goroutine; otherwise it may have
// to wait, and whoever finishes a run starts the next for those who have waited longest, see line. So rows gather only while
// the model is busy anyway, and a request that comes alone waits for nothing.
package batch

import (
	"context"
	"runtime"

	"github.com/explaind/explaind"
)

// Options bound what runs together. Each zero has its default.
type Options struct {
	// MaxRows is how many rows one run has at most; 8. A request of more rows runs as it is, alone.
	MaxRows int
	// MaxRuns is how many runs of the model there are at once; see DefaultRuns.
	MaxRuns int
	// Ran, if set, is told of every run as it begins: its rows, and the requests that they belong to. It is called by many
	// goroutines at once and must not wait.
	Ran func(rows, requests int)
}

const defaultRows = 8

// coresPerRun is how many cores a run keeps busy, about. TensorFlow spreads one operation over all of them, but between the
// operations, and in the small ones, most have nothing to do.
const coresPerRun = 8

// DefaultRuns is how many runs there are at once unless asked otherwise: one for every eight cores, but two where there are
// two cores, since while one run copies, or computes what only one core can, the other has the rest.
func DefaultRuns() int {
	cores := runtime.GOMAXPROCS(0)
	return min(cores, max(2, cores/coresPerRun))
}

// Stats is what waits and what runs at one moment.
type Stats struct {
	WaitingRequests int
	WaitingRows     int
	Runs            int
}

// Model is a model whose callers share its runs. Errors are those of explaind.Model. What ctx's end says about it has the
// phase in its metadata: QUEUE when the run had not begun, RUN when it had.
//
// A caller whose context ends while it waits returns at once, also when its rows are part of a run under way; but the one
// in whose goroutine the run takes place stays to its end, since TensorFlow cannot be stopped.
type Model struct {
	inner   explaind.Model
	outputs outputter // nil if the inner model gives no raw outputs
	sizes   sizes
	line    line
	ran     func(rows, requests int)
}

var _ explaind.Model = (*Model)(nil)

// outputter is a model that can also return its signature's outputs as they are.
type outputter interface {
	PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error)
}

// New puts callers of the model in line.
func New(model explaind.Model, o Options) *Model {
	if o.MaxRows == 0 {
		o.MaxRows = defaultRows
	}
	if o.MaxRuns == 0 {
		o.MaxRuns = DefaultRuns()
	}
	if o.Ran == nil {
		o.Ran = func(int, int) {}
	}
	m := &Model{inner: model, sizes: newSizes(model.Spec(), o.MaxRows), ran: o.Ran}
	m.outputs, _ = model.(outputter)
	m.line = line{most: o.MaxRuns, sizes: &m.sizes}
	return m
}

// Spec describes the model.
func (m *Model) Spec() *explaind.Spec { return m.inner.Spec() }

// Predict is explaind.Model's.
func (m *Model) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	a := m.do(&request{ctx: ctx, ask: askPrediction, images: images})
	return a.prediction, a.err
}

// PredictOutputs is Predict with the signature's outputs as the model gives them. It is a FailedPrecondition if the inner
// model has none to give.
func (m *Model) PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	if m.outputs == nil {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_RAW_OUTPUTS", "the model gives no raw outputs; ask without raw_outputs")
	}
	a := m.do(&request{ctx: ctx, ask: askOutputs, images: images})
	return a.prediction, a.err
}

// Explain is explaind.Model's.
func (m *Model) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	a := m.do(&request{ctx: ctx, ask: askExplanation, images: r.Images, explain: r})
	return a.explained, a.err
}

// PredictFrom is explaind.Model's. Its rows share no run with those of others: the evidence that they come with is their own.
func (m *Model) PredictFrom(ctx context.Context, from *explaind.Evidence, activations *explaind.Tensor) (*explaind.Prediction, error) {
	a := m.do(&request{ctx: ctx, ask: askFrom, images: activations, from: from})
	return a.prediction, a.err
}

// Close closes the inner model. No other method may run or be called again.
func (m *Model) Close() error { return m.inner.Close() }

// Stats tells what waits and what runs.
func (m *Model) Stats() Stats { return m.line.stats() }
