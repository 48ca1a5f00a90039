package explain

import "github.com/explaind/explaind"

// leastDenominator bounds 2 + (ΣA)·g from below. Where it is smaller, the float32 rounding of A and g, some 1e-6, would
// be more than a thousandth of the quotient.
const leastDenominator = 1e-3

// gradCAMPlusPlus is Grad-CAM++ with Y = exp(S), g = ∂S/∂A:
//
//	α^k_ij = g² / (2g² + (Σ_ab A^k_ab)·g³)      (19)
//	       = 1 / (2 + (Σ_ab A^k_ab)·g)          for g ≠ 0
//	w_k = Σ_ij α^k_ij · ReLU(g)                  (5)
//	L_ij = ReLU(Σ_k w_k A^k_ij)                  (20)
//
// The second form of α has no squares and cubes that underflow. The factor exp(S) of (13) only scales L and would
// overflow for S > 88, so it is left out. Positions with g ≤ 0 drop out in (5), so their α is not computed.
//
// With activations ≥ 0 the denominator is at least 2. Activations that may be negative (before a ReLU, or after swish
// or GELU) can bring it to zero or below; there α is a pole of the approximation, not a weight, and is taken as 0.
//
// Source: Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
// Networks, WACV 2018, equations 5, 13, 19 and 20.
func gradCAMPlusPlus(e *explaind.Evidence) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	channels := e.Activations.Shape[2]
	sums := channelSums(e.Activations)
	weights := make([]float64, channels)
	for at := 0; at < len(e.Gradients.Data); at += channels {
		for k, g := range e.Gradients.Data[at : at+channels] {
			p := positive(g)
			denominator := 2 + sums[k]*p
			if denominator < leastDenominator {
				continue
			}
			weights[k] += p / denominator
		}
	}
	return rectify(weightedSum(weights, e.Activations)), nil, nil
}
