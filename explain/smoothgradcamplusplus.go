package explain

import (
	"context"

	"github.com/explaind/explaind"
)

// smoothGradCAMPlusPlus is Smooth Grad-CAM++: Grad-CAM++ with its derivatives averaged over n copies of the image with
// normal noise, as SmoothGrad has it:
//
//	D1 = 1/n Σ_i g,  D2 = 1/n Σ_i g²,  D3 = 1/n Σ_i g³,  g = ∂S/∂A at noisy image i
//	α^k_ij = D2 / (2·D2 + (Σ_ab A^k_ab)·D3)
//	w_k = Σ_ij α^k_ij · ReLU(D1),  L_ij = ReLU(Σ_k w_k A^k_ij)
//
// A are the activations of the image as it is. The paper prints D1 as the numerator of α, which has other units than the
// denominator; equation 19 of Grad-CAM++, which it generalises, has the second derivative there. exp(S) is left out as in
// gradCAMPlusPlus, and poles are guarded as there; they can come up after a ReLU too, where the mean of g³ is negative though
// that of g is not.
//
// Source: Omeiza et al., Smooth Grad-CAM++: An Enhanced Inference Level Visualization Technique for Deep Convolutional
// Neural Network Models, arXiv 1908.01224.
func smoothGradCAMPlusPlus(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, true, 0); err != nil {
		return nil, err
	}
	numbers := len(q.Evidence[0].Activations.Data)
	sums := make([]derivatives, len(q.Evidence))
	for t := range sums {
		sums[t] = derivatives{make([]float64, numbers), make([]float64, numbers), make([]float64, numbers)}
	}
	samples := noiseSamples(q.Options)
	disturb := noiseOf(q.image(), q.Options).disturb
	err := q.slopes(ctx, samples, q.Evidence[0].Layer, explaind.NeedsGradients, disturb, func(_, t int, e *explaind.Evidence) {
		sums[t].add(e.Gradients.Data, float64(samples))
	})
	if err != nil {
		return nil, err
	}
	out := make([]Answer, len(sums))
	for t, e := range q.Evidence {
		weights, pole := sums[t].weights(e.Activations)
		if pole {
			out[t].Flags = append(out[t].Flags, explaind.FlagGuardedPole)
		}
		out[t].Heatmap = rectify(weighted(weights, e.Activations, q.Options))
	}
	return out, nil
}

// derivatives are the means of g, g² and g³.
type derivatives [3][]float64

func (d *derivatives) add(g []float32, n float64) {
	for i, v := range g {
		x := float64(v)
		d[0][i] += x / n
		d[1][i] += x * x / n
		d[2][i] += x * x * x / n
	}
}

func (d *derivatives) weights(a *explaind.Tensor) (weights []float64, pole bool) {
	sums := channelSums(a)
	weights = make([]float64, len(sums))
	for i, first := range d[0] {
		k := i % len(sums)
		if first <= 0 || d[1][i] == 0 {
			continue
		}
		denominator := 2*d[1][i] + sums[k]*d[2][i]
		if denominator < leastDenominator*d[1][i] {
			pole = true
			continue
		}
		weights[k] += d[1][i] / denominator * first
	}
	return weights, pole
}
