package explain

import "github.com/explaind/explaind"

// xGradEpsilon is the one of the authors' code. It keeps channels that are off from dividing 0 by 0.
const xGradEpsilon = 1e-6

// xGradCAM is XGrad-CAM, whose weights are the gradients averaged by the activations:
//
//	w_k = Σ_ij g^k_ij · A^k_ij / (Σ_ij A^k_ij + ε), g = ∂S^c/∂A     (8)
//	L_ij = ReLU(Σ_k w_k A^k_ij)
//
// Activations whose sum is near zero without being zero themselves (before a ReLU, or after swish or GELU) make the
// weight of a channel arbitrarily large.
//
// Source: Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, BMVC 2020, equation 8;
// ε from the authors' code.
func xGradCAM(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	channels := e.Activations.Shape[2]
	weights, sums := make([]float64, channels), make([]float64, channels)
	for at := 0; at < len(e.Gradients.Data); at += channels {
		a, g := e.Activations.Data[at:at+channels], e.Gradients.Data[at:at+channels]
		for k := range weights {
			v := float64(a[k])
			weights[k] += v * float64(g[k])
			sums[k] += v
		}
	}
	for k := range weights {
		weights[k] /= sums[k] + xGradEpsilon
	}
	return rectify(weighted(weights, e.Activations, o)), nil, nil
}
