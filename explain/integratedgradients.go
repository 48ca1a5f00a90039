package explain

import (
	"context"
	"math"

	"github.com/explaind/explaind"
)

// integratedGradients is Integrated Gradients, along the straight line from a baseline x' to the image x:
//
//	IG = (x − x') ⊙ ∫₀¹ ∂S/∂x at x' + t·(x − x') dt,  M_ij = Σ_c IG_ijc
//
// by the trapezoid rule with m steps. The map is negative where the image speaks against the class, and its sum is
// S(x) − S(x') but for the error of the rule: completeness, which the answer reports. Unless the request says how many
// steps, they are doubled until the error is at most 1 % of S(x) − S(x'), at most three times; the gradients that are there
// already are points of the finer rule too.
//
// Source: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017, sections 3 and 5.
func integratedGradients(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, false, 0); err != nil {
		return nil, err
	}
	baseline, err := q.Baseline(q.Options.IntegratedGradients.Baseline)
	if err != nil {
		return nil, err
	}
	steps, doublings := integrationSteps(q.Options)
	line := &line{q: q, from: baseline, to: q.image(), paths: make([]path, len(q.Evidence))}
	for t := range line.paths {
		line.paths[t].sums = make([]float64, len(baseline.Data))
	}
	if err := line.walk(ctx, steps+1, func(i int) float64 { return float64(i) / float64(steps) }); err != nil {
		return nil, err
	}
	out := line.integrate(steps)
	for ; doublings > 0 && !complete(out); doublings-- {
		between := func(i int) float64 { return (float64(i) + 0.5) / float64(steps) }
		if err := line.walk(ctx, steps, between); err != nil {
			return nil, err
		}
		steps *= 2
		out = line.integrate(steps)
	}
	return out, nil
}

// mostGap is the part of the score's change that a map may leave unexplained.
const mostGap = 0.01

func complete(list []Answer) bool {
	for _, a := range list {
		if c := a.Completeness; c.Gap > mostGap*math.Abs(c.ScoreChange) {
			return false
		}
	}
	return true
}

// line is the way from a baseline to an image.
type line struct {
	q        *Question
	from, to *explaind.Tensor
	paths    []path // one per target
}

// path is what was met on the way, for one target.
type path struct {
	sums       []float64 // Σ of the gradients, those of both ends by half
	start, end float64   // the score there
}

// walk adds the gradients at n places of the line, which at gives as parts of the way.
func (l *line) walk(ctx context.Context, n int, at func(i int) float64) error {
	place := func(i int, x []float32) {
		for k, b := range l.from.Data {
			x[k] = float32(float64(b) + at(i)*(float64(l.to.Data[k])-float64(b)))
		}
	}
	return l.q.slopes(ctx, n, "", explaind.NeedsInputGradients, place, func(i, t int, e *explaind.Evidence) {
		p, weight := &l.paths[t], 1.0
		switch at(i) {
		case 0:
			p.start, weight = float64(e.Score), 0.5
		case 1:
			p.end, weight = float64(e.Score), 0.5
		}
		for k, g := range e.InputGradients.Data {
			p.sums[k] += weight * float64(g)
		}
	})
}

// integrate makes the maps of the sums of a rule with so many steps.
func (l *line) integrate(steps int) []Answer {
	out := make([]Answer, len(l.paths))
	channels := l.to.Shape[2]
	for t, p := range l.paths {
		h, total := explaind.NewHeatmap(l.to.Shape[0], l.to.Shape[1]), 0.0
		for i := range h.Values {
			sum := 0.0
			for k := i * channels; k < (i+1)*channels; k++ {
				sum += (float64(l.to.Data[k]) - float64(l.from.Data[k])) * p.sums[k] / float64(steps)
			}
			h.Values[i] = float32(sum)
			total += sum
		}
		change := p.end - p.start
		out[t] = Answer{Heatmap: h, Completeness: &Completeness{ScoreChange: change, Gap: math.Abs(total - change)}}
	}
	return out
}
