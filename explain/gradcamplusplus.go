package explain

import (
	"math"

	"github.com/explaind/explaind"
)

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
// or GELU) can bring it to zero or below; there α is a pole of the approximation, not a weight, and is taken as 0, which
// FlagGuardedPole reports.
//
// PlusPlusAuthorsCode divides α by its sum over those positions of its channel where g > 0, as the authors' code does.
// PlusPlusSoftmax is softmaxWeights.
//
// Source: Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
// Networks, WACV 2018, equations 5, 13, 19 and 20.
func gradCAMPlusPlus(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	var weights []float64
	var pole bool
	switch o.PlusPlusForm {
	case explaind.PlusPlusSoftmax:
		if err := check(e, explaind.NeedsHead); err != nil {
			return nil, nil, err
		}
		weights, pole = softmaxWeights(e)
	default:
		weights, pole = exponentialWeights(e, o.PlusPlusForm == explaind.PlusPlusAuthorsCode)
	}
	var flags []explaind.Flag
	if pole {
		flags = append(flags, explaind.FlagGuardedPole)
	}
	return rectify(weighted(weights, e.Activations, o)), flags, nil
}

// exponentialWeights are w_k of (5) with α of (19). pole tells that some α was taken as 0.
func exponentialWeights(e *explaind.Evidence, normalise bool) (weights []float64, pole bool) {
	channels := e.Activations.Shape[2]
	sums := channelSums(e.Activations)
	weights = make([]float64, channels)
	for at := 0; at < len(e.Gradients.Data); at += channels {
		for k, g := range e.Gradients.Data[at : at+channels] {
			p := positive(g)
			denominator := 2 + sums[k]*p
			if denominator < leastDenominator {
				pole = true
				continue
			}
			weights[k] += p / denominator
		}
	}
	if normalise {
		for k, total := range alphas(e, sums) {
			if total > 0 {
				weights[k] /= total
			}
		}
	}
	return weights, pole
}

// alphas are, per channel, the sum of the α of (19) over the positions with g > 0.
func alphas(e *explaind.Evidence, sums []float64) []float64 {
	totals := make([]float64, len(sums))
	for i, g := range e.Gradients.Data {
		k := i % len(sums)
		if denominator := 2 + sums[k]*float64(g); g > 0 && denominator >= leastDenominator {
			totals[k] += 1 / denominator
		}
	}
	return totals
}

// softmaxWeights are w_k of (5) for Y = P, the softmax probability of the class (22) to (24). Where a global average and
// one dense layer W lie between A and the logits, all ∂S^m/∂A^k = g_m = W_km/Z are known and the same at all positions.
// With the mean μ, the variance v and the third central moment s of g_m over the classes m, weighted by P_m, and
// d = g_c − μ, the three derivatives are
//
//	Y' = P_c d,  Y'' = P_c (d² − v),  Y''' = P_c (d³ − 3dv − s)
//	α^k = Y'' / (2Y'' + (Σ_ab A^k_ab)·Y'''),  w_k = Z · α^k · ReLU(Y')
//
// α may be negative here. Where the denominator is less than a thousandth of its first term, α is taken as 0.
func softmaxWeights(e *explaind.Evidence) (weights []float64, pole bool) {
	channels, classes := e.HeadKernel.Shape[0], e.HeadKernel.Shape[1]
	positions := float64(e.Activations.Shape[0] * e.Activations.Shape[1])
	sums := channelSums(e.Activations)
	weights = make([]float64, channels)
	for k := range weights {
		row := e.HeadKernel.Data[k*classes : (k+1)*classes]
		mean := 0.0
		for m, w := range row {
			mean += float64(e.Probabilities[m]) * float64(w) / positions
		}
		variance, third := 0.0, 0.0
		for m, w := range row {
			deviation := float64(w)/positions - mean
			variance += float64(e.Probabilities[m]) * deviation * deviation
			third += float64(e.Probabilities[m]) * deviation * deviation * deviation
		}
		d := float64(row[e.Class])/positions - mean
		second := d*d - variance
		denominator := 2*second + sums[k]*(d*d*d-3*d*variance-third)
		if second == 0 || d <= 0 {
			continue
		}
		if math.Abs(denominator) < leastDenominator*math.Abs(second) {
			pole = true
			continue
		}
		weights[k] = positions * second / denominator * float64(e.Probability) * d
	}
	return weights, pole
}
