package service

import (
	"context"
	"fmt"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// evidence is what the model's runs brought.
type evidence struct {
	prediction *explaind.Prediction
	byGroup    [][]explaind.Evidence // per group of the plan, ordered by layer, then target
}

// run asks the model once per group. The second run explains the very classes that the first one found, so that ranks
// cannot resolve in two ways.
func (e *Explainer) run(ctx context.Context, images *explaind.Tensor) (*evidence, error) {
	p, found := e.plan, &evidence{}
	targets, phase := p.targets, "DECODE"
	for _, g := range p.groups {
		if err := explaind.FromContext(ctx); err != nil {
			return nil, inPhase(err, phase)
		}
		phase = "RUN"
		result, err := e.handle.Model.Explain(ctx, &explaind.ExplainRequest{
			Images: images, Layers: p.layers, Targets: [][]explaind.Target{targets}, Score: g.score, Needs: g.needs,
		})
		if err != nil {
			return nil, err
		}
		if found.prediction == nil {
			found.prediction = result.Prediction
			if targets, err = resolved(targets, result.Evidence); err != nil {
				return nil, err
			}
		}
		found.byGroup = append(found.byGroup, result.Evidence)
	}
	return found, nil
}

// resolved replaces ranks by the classes they turned out to be.
func resolved(targets []explaind.Target, evidence []explaind.Evidence) ([]explaind.Target, error) {
	out := make([]explaind.Target, len(targets))
	for i, t := range targets {
		out[i] = explaind.Target{Class: evidence[i].Class, Versus: t.Versus}
		if out[i].Class == t.Versus {
			return nil, versusItself(fmt.Sprintf("config.targets[%d]", i), t.Versus)
		}
	}
	return out, nil
}

// rawMap is one map as its method made it, at the layer's resolution.
type rawMap struct {
	definition explain.Definition
	evidence   *explaind.Evidence
	heatmap    *explaind.Heatmap
	flags      []explaind.Flag
}

// rawMaps applies the methods, ordered by layer, target and method.
func (p *plan) rawMaps(found *evidence) ([]rawMap, error) {
	groupOf := make([]int, len(p.methods))
	for g := range p.groups {
		for _, m := range p.groups[g].methods {
			groupOf[m] = g
		}
	}
	maps := make([]rawMap, 0, len(p.layers)*len(p.targets)*len(p.methods))
	for i := range len(p.layers) * len(p.targets) {
		for m, definition := range p.methods {
			g := groupOf[m]
			e := &found.byGroup[g][i]
			heatmap, flags, err := definition.Func(e)
			if err != nil {
				return nil, err
			}
			if p.groups[g].score == explaind.ScoreProbability && definition.Needs.Has(explaind.NeedsGradients) && saturated(e.Probability) {
				flags = append(flags, explaind.FlagSaturatedScore)
			}
			maps = append(maps, rawMap{definition, e, heatmap, flags})
		}
	}
	return maps, nil
}

// saturated tells whether the gradient of a probability has lost its digits. It has the factor 1 − P, and a float32
// next to 1 is a multiple of 6·10⁻⁸: above 1 − 10⁻⁶ at most one decimal digit of it is left. Small probabilities keep
// their digits until the products of P with the logits' gradients leave float32's normal range, about 10⁻³⁸.
func saturated(probability float32) bool { return probability > 1-1e-6 || probability < 1e-30 }

// checkCost refuses what would take too much memory, before the model runs.
func (p *plan) checkCost(in *input, spec *explaind.Spec, o Options) error {
	height, width := in.size()
	numbers := 0
	for _, name := range p.layers {
		layer, err := spec.FindLayer(name)
		if err != nil {
			return err
		}
		h, w := layer.Height, layer.Width
		if h == 0 || w == 0 { // it depends on the input, and is no larger
			h, w = height, width
		}
		numbers += h * w * layer.Channels * (1 + len(p.targets)*len(p.groups))
	}
	if numbers > o.MaxEvidence {
		return explaind.FieldError("config", "TOO_MANY_EXPLANATIONS",
			"activations and gradients of %d layers and %d targets are %d numbers and the server allows %d; ask for fewer layers or targets at a time", len(p.layers), len(p.targets), numbers, o.MaxEvidence)
	}
	switch r := p.rendering; {
	case r.Resolution == ResolutionLayer && !r.OverlayPNG && !r.ComparisonPNG:
		return nil // no larger than the activations
	case r.Resolution == ResolutionOriginal:
		height, width = in.original.Height, in.original.Width
	}
	count := len(p.layers) * len(p.targets) * len(p.methods)
	if p.rendering.ComparisonPNG {
		count += len(p.layers) * len(p.targets) * (len(p.methods) + 1)
	}
	if count > o.MaxMapPixels/(height*width) {
		return explaind.FieldError("config", "TOO_MANY_EXPLANATIONS",
			"%d maps of %d×%d have more pixels than the %d that the server allows; ask for fewer at a time, or for RESOLUTION_LAYER", count, width, height, o.MaxMapPixels)
	}
	return nil
}
