package explain

import "github.com/explaind/explaind"

// cam is Class Activation Mapping:
//
//	S^c = Σ_k w^c_k Σ_ij A^k_ij     (1)
//	L_ij = Σ_k w^c_k A^k_ij         (2)
//
// w^c are the weights of the dense layer behind the global average pooling. There is no ReLU, so L is negative where
// the layer speaks against the class. (1) writes the pooling as a sum; networks take the mean, so that the mean of L,
// not its sum, is the logit without its bias. The maps are the same.
//
// Source: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016, equations 1 and 2.
func cam(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsClassWeights); err != nil {
		return nil, nil, err
	}
	weights := make([]float64, len(e.ClassWeights))
	for k, w := range e.ClassWeights {
		weights[k] = float64(w)
	}
	return weightedSum(weights, e.Activations), nil, nil
}
