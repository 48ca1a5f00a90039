package service

import (
	"context"
	"fmt"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// asker runs the model on one image.
type asker struct {
	*Explainer
	in     *input
	place  *place
	report func(Progress) // may be nil
}

// evidence is what the model's runs brought.
type evidence struct {
	prediction *explaind.Prediction // of the image as it is
	// per group of the plan, ordered by variant of the image, then layer, then target
	byGroup [][]explaind.Evidence
	layers  int
	targets int
}

// of is the evidence of all targets on one layer.
func (f *evidence) of(group, variant, layer int) []*explaind.Evidence {
	first := (variant*f.layers + min(layer, f.layers-1)) * f.targets
	out := make([]*explaind.Evidence, f.targets)
	for t := range out {
		out[t] = &f.byGroup[group][first+t]
	}
	return out
}

// run asks the model once per group. The second run explains the very classes that the first one found, so that ranks
// cannot resolve in two ways; so do the variants of the image.
func (a *asker) run(ctx context.Context) (*evidence, error) {
	p := a.plan
	found := &evidence{layers: 1, targets: len(p.targets)}
	images, targets := a.in.tensor, p.targets
	var layers []string
	if p.looks {
		layers, found.layers = p.layers, len(p.layers)
	}
	phase := "DECODE"
	if p.options.AugSmooth {
		if err := explaind.FromContext(ctx); err != nil {
			return nil, inPhase(err, phase)
		}
		prediction, err := a.handle.Model.Predict(ctx, images)
		if err != nil {
			return nil, ofModel(err)
		}
		found.prediction = prediction
		if targets, err = resolved(targets, ranked(targets, prediction.Logits.Row(0).Data)); err != nil {
			return nil, err
		}
		images, phase = variants(images.Row(0)), "RUN"
	}
	for _, g := range p.groups {
		if err := explaind.FromContext(ctx); err != nil {
			return nil, inPhase(err, phase)
		}
		phase = "RUN"
		request := &explaind.ExplainRequest{Images: images, Layers: layers, Score: g.score, Needs: g.needs}
		for range images.Rows() {
			request.Targets = append(request.Targets, targets)
		}
		result, err := a.handle.Model.Explain(ctx, request)
		if err != nil {
			return nil, ofModel(err)
		}
		if found.prediction == nil {
			found.prediction = result.Prediction
			if targets, err = resolved(targets, classesOf(result.Evidence[:len(targets)])); err != nil {
				return nil, err
			}
		}
		found.byGroup = append(found.byGroup, result.Evidence)
	}
	return found, nil
}

// ofModel completes an error of the model: one about the image gets its field, for all else about a request was checked
// before, and one of an end in time its phase.
func ofModel(err error) error {
	if err == nil {
		return nil
	}
	switch e := explaind.AsError(err); e.Code {
	case explaind.InvalidArgument:
		return explaind.AtField(err, "image")
	case explaind.DeadlineExceeded, explaind.Canceled:
		if e.Metadata["phase"] == "" {
			return inPhase(err, "RUN")
		}
	}
	return err
}

// ranked are the classes that the targets are, by the model's own order of the classes.
func ranked(targets []explaind.Target, logits []float32) []int {
	order := explaind.TopK(logits, len(logits))
	out := make([]int, len(targets))
	for i, t := range targets {
		out[i] = t.Class
		if t.Rank > 0 {
			out[i] = order[t.Rank-1]
		}
	}
	return out
}

func classesOf(evidence []explaind.Evidence) []int {
	out := make([]int, len(evidence))
	for i := range evidence {
		out[i] = evidence[i].Class
	}
	return out
}

// resolved replaces ranks by the classes they turned out to be.
func resolved(targets []explaind.Target, classes []int) ([]explaind.Target, error) {
	out := make([]explaind.Target, len(targets))
	for i, t := range targets {
		out[i] = explaind.Target{Class: classes[i], Versus: t.Versus}
		if out[i].Class == t.Versus {
			return nil, versusItself(fmt.Sprintf("config.targets[%d]", i), t.Versus)
		}
	}
	return out, nil
}

// rawMap is one map as its method made it, at the layer's resolution or, for methods of the input, at the input's.
type rawMap struct {
	definition   explain.Definition
	layer        string
	evidence     *explaind.Evidence
	heatmap      *explaind.Heatmap
	flags        []explaind.Flag
	completeness *explain.Completeness
}

// maps applies the methods; the maps are ordered by layer, target and method. A method that looks at no layer is applied
// once.
func (a *asker) maps(ctx context.Context, found *evidence) ([]rawMap, error) {
	p := a.plan
	maps := make([]rawMap, len(p.layers)*len(p.targets)*len(p.methods))
	at := func(layer, target, method int) *rawMap {
		return &maps[(layer*len(p.targets)+target)*len(p.methods)+method]
	}
	for g := range p.groups {
		for _, m := range p.groups[g].methods {
			for layer, name := range p.layers {
				if layer > 0 && p.methods[m].Traits.Has(explain.OfInput) {
					for t := range p.targets {
						*at(layer, t, m) = *at(0, t, m)
						at(layer, t, m).layer = name
					}
					continue
				}
				answers, err := a.apply(ctx, m, g, layer, found)
				if err != nil {
					return nil, err
				}
				for t, e := range found.of(g, 0, layer) {
					if !explaind.Finite(e.Logit) || !explaind.Finite(e.Probability) {
						answers[t].Flags = union(answers[t].Flags, []explaind.Flag{explaind.FlagNonFinite})
					}
					if p.saturates(m, g, e) {
						answers[t].Flags = append(answers[t].Flags, explaind.FlagSaturatedScore)
					}
					*at(layer, t, m) = rawMap{p.methods[m], name, e, answers[t].Heatmap, answers[t].Flags, answers[t].Completeness}
				}
			}
		}
	}
	return maps, nil
}

// apply applies one method to one layer: to the evidence of each variant of the image, whose maps it averages.
func (a *asker) apply(ctx context.Context, method, group, layer int, found *evidence) ([]explain.Answer, error) {
	var perVariant [][]explain.Answer
	for v := range a.plan.variants() {
		answers, err := a.answer(ctx, a.plan.methods[method], a.plan.groups[group].score, found.of(group, v, layer))
		if err != nil {
			return nil, err
		}
		perVariant = append(perVariant, answers)
	}
	if !a.plan.options.AugSmooth {
		return perVariant[0], nil
	}
	return averaged(perVariant), nil
}

// answer computes the maps of all targets from their evidence, or by asking the model again.
func (a *asker) answer(ctx context.Context, d explain.Definition, score explaind.Score, evidence []*explaind.Evidence) ([]explain.Answer, error) {
	if d.Ask != nil {
		return d.Ask(ctx, a.question(d, score, evidence))
	}
	out := make([]explain.Answer, len(evidence))
	for t, e := range evidence {
		var err error
		if out[t].Heatmap, out[t].Flags, err = d.Func(e, &a.plan.options); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// saturates tells whether a method's gradients are those of a probability that has lost their digits.
func (p *plan) saturates(method, group int, e *explaind.Evidence) bool {
	return p.groups[group].score == explaind.ScoreProbability && p.methods[method].Needs.OfScore() && saturated(e.Probability)
}

// saturated tells whether the gradient of a probability has lost its digits. It has the factor 1 − P, and a float32
// next to 1 is a multiple of 6·10⁻⁸: above 1 − 10⁻⁶ at most one decimal digit of it is left. Small probabilities keep
// their digits until the products of P with the logits' gradients leave float32's normal range, about 10⁻³⁸.
func saturated(probability float32) bool { return probability > 1-1e-6 || probability < 1e-30 }
