package batch

import (
	"context"
	"strings"
	"time"

	"github.com/explaind/explaind"
)

// question is what a request asks the model.
type question int

const (
	askPrediction question = iota
	askOutputs
	askExplanation
	askFrom
)

// request is one caller's rows on their way through a run. What does not change is set before it stands in line; state is
// guarded by the line's mutex.
type request struct {
	ctx     context.Context
	ask     question
	images  *explaind.Tensor         // activations, if the model is asked from a layer on
	explain *explaind.ExplainRequest // of an explanation
	from    *explaind.Evidence       // where the model is asked from a layer on

	key   key // what it can share a run with
	size  int // how much of a run it takes, in rows
	limit int // how much of that a run with its key may have

	own   run       // of one that need not wait
	began time.Time // of the wait
	state state
	wake  chan signal // has room for the only signal that it gets before it looks
}

// state is where a request in line stands.
type state int

const (
	waiting state = iota
	leading       // the run is given to it, with those who share it
	riding        // shares a run that another one leads
	gone          // its caller has returned
)

// signal wakes a request that waits: it has its answer, or it leads a run.
type signal struct {
	answer answer
	run    *run // nil with an answer
}

// answer is what the model said.
type answer struct {
	prediction *explaind.Prediction
	explained  *explaind.ExplainResult
	err        error
}

// key says which requests can share a run: those that fetch the same from inputs of one size. The zero key is that of a
// request that runs alone.
type key struct {
	shared                  bool
	ask                     question
	height, width, channels int
	layers                  string
	layerCount              int
	score                   explaind.Score
	needs                   explaind.Needs
	manyTargets             bool
}

// rows is how many the request has, 0 if it makes no sense.
func (r *request) rows() int {
	if r.images == nil || len(r.images.Shape) == 0 {
		return 0
	}
	return r.images.Shape[0]
}

// await prepares for the wait.
func (r *request) await() {
	r.began = time.Now()
	r.wake = make(chan signal, 1)
}

// classify finds out what the request can share a run with. One that the model will refuse runs alone.
func (r *request) classify(s *sizes) {
	r.size = r.rows()
	if r.ask == askFrom || !wellFormed(r.images) || (r.ask == askOutputs && !s.outputsByRow) {
		return
	}
	shape := r.images.Shape
	k := key{shared: true, ask: r.ask, height: shape[1], width: shape[2], channels: shape[3]}
	evidence := 0
	if x := r.explain; x != nil {
		var known bool
		if evidence, known = s.evidence(x, shape[1], shape[2]); !known || len(x.Targets) != r.size {
			return
		}
		k.layers, k.layerCount, k.score, k.needs = strings.Join(x.Layers, "\x00"), len(x.Layers), x.Score, x.Needs
		if k.manyTargets = x.Needs.OfScore() && !oneEach(x.Targets); k.manyTargets {
			r.size = targetCount(x.Targets)
		}
	}
	r.key, r.limit = k, s.limit(shape[1]*shape[2]*shape[3], evidence)
}

func wellFormed(t *explaind.Tensor) bool {
	return t != nil && len(t.Shape) == 4 && t.Shape[0] > 0 && len(t.Data) == explaind.Elements(t.Shape)
}

// oneEach tells whether each row has one target that needs no earlier run: a class, or the best one. Prediction and
// gradients of such rows come from a single run; together with others they would take two.
func oneEach(targets [][]explaind.Target) bool {
	for _, row := range targets {
		if len(row) != 1 || row[0].Rank > 1 {
			return false
		}
	}
	return true
}

func targetCount(targets [][]explaind.Target) int {
	n := 0
	for _, row := range targets {
		n += max(len(row), 1)
	}
	return n
}
