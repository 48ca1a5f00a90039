package explain

import "github.com/explaind/explaind"

// articleCAM is the article's CAM. It reads the kernel K [kh, kw, in, out] of the explained convolution itself:
//
//	w_k = 1/(kw·in) · Σ_{x,c} K[0, x, c, k]
//	L_ij = Σ_k w_k A^k_ij
//
// Only the kernel's first row counts and no class enters, so all classes share one map. There is no ReLU. It is here so
// that the article's figures can be reproduced; CAM in Zhou's sense is cam.
func articleCAM(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsKernel); err != nil {
		return nil, nil, err
	}
	channels := e.Activations.Shape[2]
	columns, in := e.Kernel.Shape[1], e.Kernel.Shape[2]
	firstRow := &explaind.Tensor{Shape: []int{columns, in, channels}, Data: e.Kernel.Data[:columns*in*channels]}
	weights := channelSums(firstRow)
	for k := range weights {
		weights[k] /= float64(columns * in)
	}
	return weightedSum(weights, e.Activations), nil, nil
}
