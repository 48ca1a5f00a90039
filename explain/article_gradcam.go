package explain

import "github.com/explaind/explaind"

// articleGradCAM is the article's Grad-CAM: Grad-CAM's equations 1 and 2 on g = ∂P^c/∂A, the gradient of the softmax
// probability instead of the logit:
//
//	w_k = 1/Z · Σ_ij g^k_ij
//	L_ij = ReLU(Σ_k w_k A^k_ij)
//
// The table's NeedsProbability sees to it that the evidence holds that gradient, whatever score was asked for.
func articleGradCAM(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	return gradCAM(e, &explaind.MethodOptions{})
}
