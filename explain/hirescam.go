package explain

import "github.com/explaind/explaind"

// hiResCAM is HiResCAM, Grad-CAM without the averaging of its gradients:
//
//	L_ij = Σ_k g^k_ij · A^k_ij, g = ∂S^c/∂A
//
// There is no ReLU, so L is negative where the layer speaks against the class. Behind the layer that a head of global
// average pooling and one dense layer pools, Σ_ij L is the logit without its bias, and the map is that of CAM.
//
// Source: Draelos and Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks,
// arXiv 2011.08891.
func hiResCAM(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	return weightedEach(e, o, wholeGradient), nil, nil
}
