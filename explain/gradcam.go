package explain

import "github.com/explaind/explaind"

// gradCAM is Gradient-weighted Class Activation Mapping:
//
//	w_k = 1/Z · Σ_ij ∂S^c/∂A^k_ij     (1), Z = H·W
//	L_ij = ReLU(Σ_k w_k A^k_ij)       (2)
//
// S^c is the score that the request asked for, by default the logit.
//
// Source: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, ICCV 2017,
// equations 1 and 2.
func gradCAM(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	weights := channelSums(e.Gradients)
	positions := float64(e.Gradients.Shape[0] * e.Gradients.Shape[1])
	for k := range weights {
		weights[k] /= positions
	}
	return rectify(weighted(weights, e.Activations, o)), nil, nil
}
