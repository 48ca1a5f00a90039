package explain

import (
	"math"

	"github.com/explaind/explaind"
)

// articleGradCAMPlusPlus is the article's Grad-CAM++, on g = ∂P/∂A with P the softmax probability of the class:
//
//	first = e^P g,  second = e^P g²,  third = e^P g³
//	α^k_ij = second / (2·second + third·Σ_ab A^k_ab)     a zero denominator is replaced by 1
//	w_k = Σ_ij max(first, 0)·α^k_ij / Σ_ij α^k_ij
//	L_ij = ReLU(Σ_k w_k A^k_ij)
//
// Unlike equation 19's form in gradCAMPlusPlus, α is divided by its own sum over the channel, positions with g < 0
// count in that sum, and poles are not guarded: that is the article's arithmetic, kept as it is, in float64.
// A channel whose α sum to zero gives 0/0 there. Its weight is taken as 0 and FlagZeroAlphaChannel reports it.
func articleGradCAMPlusPlus(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	channels := e.Activations.Shape[2]
	sums := channelSums(e.Activations)
	weights, alphas := make([]float64, channels), make([]float64, channels)
	scale := math.Exp(float64(e.Probability))
	for at := 0; at < len(e.Gradients.Data); at += channels {
		for k, g := range e.Gradients.Data[at : at+channels] {
			g64 := float64(g)
			second := scale * g64 * g64
			denominator := 2*second + second*g64*sums[k]
			if denominator == 0 {
				denominator = 1
			}
			alpha := second / denominator
			alphas[k] += alpha
			weights[k] += scale * positive(g) * alpha
		}
	}
	var flags []explaind.Flag
	for k, sum := range alphas {
		if sum != 0 {
			weights[k] /= sum
			continue
		}
		weights[k] = 0
		flags = []explaind.Flag{explaind.FlagZeroAlphaChannel}
	}
	return rectify(weightedSum(weights, e.Activations)), flags, nil
}
