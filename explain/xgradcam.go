package explain

import (
	"math"

	"github.com/explaind/explaind"
)

// xGradEpsilon is the one of the authors' code. It keeps channels that are off from dividing 0 by 0.
const xGradEpsilon = 1e-6

// xGradCAM is XGrad-CAM, whose weights are the gradients averaged by the activations:
//
//	w_k = Σ_ij g^k_ij · A^k_ij / (Σ_ij A^k_ij + ε), g = ∂S^c/∂A
//	L_ij = ReLU(Σ_k w_k A^k_ij)
//
// Activations of both signs (before a ReLU, or after swish or GELU) may add up to almost nothing, which makes the weight of a
// channel arbitrarily large. A channel whose sum is less than a thousandth of its magnitude Σ_ij |A^k_ij| is left out, which
// FlagGuardedPole reports.
//
// Source: Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, BMVC 2020; ε from the
// authors' code.
func xGradCAM(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	channels := e.Activations.Shape[2]
	weights, sums, magnitudes := make([]float64, channels), make([]float64, channels), make([]float64, channels)
	for at := 0; at < len(e.Gradients.Data); at += channels {
		a, g := e.Activations.Data[at:at+channels], e.Gradients.Data[at:at+channels]
		for k := range weights {
			v := float64(a[k])
			weights[k] += v * float64(g[k])
			sums[k] += v
			magnitudes[k] += math.Abs(v)
		}
	}
	var flags []explaind.Flag
	for k := range weights {
		if math.Abs(sums[k]) < leastDenominator*magnitudes[k] {
			weights[k], flags = 0, []explaind.Flag{explaind.FlagGuardedPole}
			continue
		}
		weights[k] /= sums[k] + xGradEpsilon
	}
	return rectify(weighted(weights, e.Activations, o)), flags, nil
}
