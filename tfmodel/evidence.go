package tfmodel

import (
	"context"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// evidence orders what the runs brought by row, layer and target, and adds kernels and class weights.
func (m *Model) evidence(ctx context.Context, r *explaind.ExplainRequest, layers []int, found *gathered) (*explaind.ExplainResult, error) {
	rows, resolved := expand(r, found.prediction.Logits)
	var err error
	kernels := make([]*explaind.Tensor, len(layers))
	if r.Needs.Has(explaind.NeedsKernel) {
		for i, l := range layers {
			if kernels[i], err = m.kernel(ctx, m.program.Layers[l].Kernel); err != nil {
				return nil, err
			}
		}
	}
	result := &explaind.ExplainResult{Prediction: found.prediction}
	for first := 0; first < len(rows); {
		row := rows[first]
		count := len(r.Targets[row])
		for i := range max(len(layers), 1) { // without layers, there still is the input
			for k := first; k < first+count; k++ {
				e := m.ofInput(r, found, row, k, int(resolved.class[k]), int(resolved.versus[k]))
				if len(layers) > 0 {
					e.Layer, e.Kernel = m.program.Spec.Layers[layers[i]].Name, kernels[i]
					if err := m.ofLayer(ctx, r.Needs, found, i, k, &e); err != nil {
						return nil, err
					}
				}
				result.Evidence = append(result.Evidence, e)
			}
		}
		first += count
	}
	return result, nil
}

// ofInput is the evidence of a row and its k-th of all targets, but for what belongs to a layer.
func (m *Model) ofInput(r *explaind.ExplainRequest, found *gathered, row, k, class, versus int) explaind.Evidence {
	logits, probabilities := found.prediction.Logits.Row(row).Data, found.prediction.Probabilities.Row(row).Data
	e := explaind.Evidence{
		Row: row, Class: class, Versus: versus, Input: r.Images.Row(row),
		Logit: logits[class], Probability: probabilities[class],
	}
	scores := logits
	if r.Score == explaind.ScoreProbability {
		scores = probabilities
	}
	e.Score = scores[class]
	if versus >= 0 {
		e.Score -= scores[versus]
	}
	if found.ofInput != nil {
		e.InputGradients = found.ofInput.Row(k)
	}
	if found.guided != nil {
		e.GuidedGradients = found.guided.Row(k)
	}
	return e
}

// ofLayer adds what belongs to layer i of the request.
func (m *Model) ofLayer(ctx context.Context, needs explaind.Needs, found *gathered, i, k int, e *explaind.Evidence) (err error) {
	e.Activations = found.activations[i].Row(e.Row)
	if found.gradients[i] != nil {
		e.Gradients = found.gradients[i].Row(k)
	}
	if needs.Has(explaind.NeedsCrossing) {
		e.Crossing = make([]*explaind.Tensor, len(found.ahead[i]))
		for c, t := range found.ahead[i] {
			e.Crossing[c] = t.Slice(e.Row, e.Row+1)
		}
	}
	if needs.Has(explaind.NeedsHead) {
		e.Probabilities = found.prediction.Probabilities.Row(e.Row).Data
		if e.HeadKernel, err = m.headKernel(ctx); err != nil {
			return err
		}
	}
	if needs.Has(explaind.NeedsClassWeights) {
		e.ClassWeights, err = m.classWeights(ctx, e.Class, e.Versus)
	}
	return err
}

// headKernel is the head's dense kernel [C, classes]. A head of 1×1 convolutions has it as [1, 1, C, classes].
func (m *Model) headKernel(ctx context.Context) (*explaind.Tensor, error) {
	kernel, err := m.kernel(ctx, m.program.DenseKernel)
	if err != nil {
		return nil, err
	}
	classes := m.program.Spec.Head.Classes
	return &explaind.Tensor{Shape: []int{len(kernel.Data) / classes, classes}, Data: kernel.Data}, nil
}

// kernel fetches a weight from the graph, once: explanations that need one tend to need it again.
func (m *Model) kernel(ctx context.Context, ref graphdef.Ref) (*explaind.Tensor, error) {
	if k, ok := m.kernels.Load(ref); ok {
		return k.(*explaind.Tensor), nil
	}
	fetched, err := m.fetch(ctx, []graphdef.Ref{ref}, nil)
	if err != nil {
		return nil, err
	}
	m.kernels.Store(ref, fetched[0])
	return fetched[0], nil
}

// classWeights is column class of the head's dense kernel [C, classes], less column versus.
func (m *Model) classWeights(ctx context.Context, class, versus int) ([]float32, error) {
	kernel, err := m.headKernel(ctx)
	if err != nil {
		return nil, err
	}
	classes := kernel.Shape[1]
	weights := make([]float32, kernel.Shape[0])
	for c := range weights {
		weights[c] = kernel.Data[c*classes+class]
		if versus >= 0 {
			weights[c] -= kernel.Data[c*classes+versus]
		}
	}
	return weights, nil
}
