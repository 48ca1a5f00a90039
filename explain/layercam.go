package explain

import "github.com/explaind/explaind"

// layerCAM is LayerCAM, which weighs each position of each channel by its own positive gradient:
//
//	L_ij = ReLU(Σ_k ReLU(g^k_ij) · A^k_ij), g = ∂S^c/∂A
//
// Made for shallow layers, where the mean gradient of a channel says little about a position. Where the maps of several
// layers are fused, each is scaled by tanh(2·L / max L) before, as in the paper.
//
// Source: Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, IEEE TIP 2021.
func layerCAM(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	return rectify(weightedEach(e, o, positiveGradient)), nil, nil
}
