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
		for i := range layers {
			for k := first; k < first+count; k++ {
				e := explaind.Evidence{
					Row: row, Layer: m.program.Spec.Layers[layers[i]].Name,
					Class: int(resolved.class[k]), Versus: int(resolved.versus[k]),
					Activations: found.activations[i].Row(row), Kernel: kernels[i],
				}
				e.Logit = found.prediction.Logits.Row(row).Data[e.Class]
				e.Probability = found.prediction.Probabilities.Row(row).Data[e.Class]
				if found.gradients != nil {
					e.Gradients = found.gradients[i].Row(k)
				}
				if r.Needs.Has(explaind.NeedsClassWeights) {
					if e.ClassWeights, err = m.classWeights(ctx, e.Class, e.Versus); err != nil {
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
	kernel, err := m.kernel(ctx, m.program.DenseKernel)
	if err != nil {
		return nil, err
	}
	classes := m.program.Spec.Head.Classes
	weights := make([]float32, len(kernel.Data)/classes)
	for c := range weights {
		weights[c] = kernel.Data[c*classes+class]
		if versus >= 0 {
			weights[c] -= kernel.Data[c*classes+versus]
		}
	}
	return weights, nil
}
