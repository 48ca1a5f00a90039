package service

import (
	"context"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/faithfulness"
	"github.com/explaind/explaind/imaging"
)

// measure measures how faithful each map is, if that was asked for. It reads the map at the input's size, whatever size
// comes back.
func (a *asker) measure(ctx context.Context, answer *ExplainAnswer, maps []rawMap) error {
	if !a.plan.faithful {
		return nil
	}
	x := a.in.tensor.Row(0)
	blurred := imaging.Blur(x)
	reports := map[*explaind.Heatmap]*faithfulness.Report{} // a method of the input has one map for all layers
	for i, m := range maps {
		if !explaind.Finite(m.evidence.Probability) {
			continue // there is nothing to measure, as the map's flag says
		}
		if reports[m.heatmap] == nil {
			relevance := a.plan.grow(m.heatmap, a.in, ResolutionInput)
			report, err := faithfulness.Measure(ctx, a.probe(&m), x, blurred, relevance, a.rows(), uint64(a.plan.options.Seed))
			if ended := explaind.FromContext(ctx); err != nil && ended != nil {
				return inPhase(ended, "RUN")
			}
			if err != nil && explaind.AsError(err).Reason == faithfulness.NonFiniteProbability {
				answer.Explanations[i].Flags = union(answer.Explanations[i].Flags, []explaind.Flag{explaind.FlagNonFinite})
				continue // there is nothing to measure
			}
			if err != nil {
				return err
			}
			reports[m.heatmap] = report
		}
		answer.Explanations[i].Faithfulness = reports[m.heatmap]
	}
	return nil
}

// probe asks for the probability of the class that a map explains.
func (a *asker) probe(m *rawMap) faithfulness.Probe {
	done := 0
	return func(ctx context.Context, images *explaind.Tensor) ([]float32, error) {
		if a.report != nil {
			a.report(Progress{m.definition.Method, done, faithfulness.Passes, true})
		}
		done += images.Rows()
		if err := a.step(ctx); err != nil {
			return nil, err
		}
		p, err := a.handle.Model.Predict(ctx, images)
		if err != nil {
			return nil, err
		}
		out := make([]float32, images.Rows())
		for row := range out {
			out[row] = p.Probabilities.Row(row).Data[m.evidence.Class]
		}
		return out, nil
	}
}
