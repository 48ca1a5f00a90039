package explain

import (
	"math"

	"github.com/explaind/explaind"
)

// saliency is the saliency map of an image x:
//
//	M_ij = max_c |∂S/∂x_ijc|
//
// Source: Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks: Visualising Image Classification Models
// and Saliency Maps, ICLR 2014 workshop, section 3.1.
func saliency(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := checkImage(e, explaind.NeedsInputGradients); err != nil {
		return nil, nil, err
	}
	return largest(e.InputGradients), nil, nil
}

// gradientXInput is Gradient × Input, in the model's own units:
//
//	M_ij = Σ_c x_ijc · ∂S/∂x_ijc
//
// It is negative where the image speaks against the class, and zero where the input is zero, whatever colour that is.
//
// Source: Shrikumar et al., Not Just a Black Box: Learning Important Features Through Propagating Activation Differences,
// arXiv 1605.01713.
func gradientXInput(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := checkImage(e, explaind.NeedsInputGradients); err != nil {
		return nil, nil, err
	}
	h := explaind.NewHeatmap(e.Input.Shape[0], e.Input.Shape[1])
	channels := e.Input.Shape[2]
	for i := range h.Values {
		sum := 0.0
		for k := i * channels; k < (i+1)*channels; k++ {
			sum += float64(e.Input.Data[k]) * float64(e.InputGradients.Data[k])
		}
		h.Values[i] = float32(sum)
	}
	return h, nil, nil
}

// guidedBackprop is the saliency map of guided backpropagation: on the way back through every rectifier, negative
// gradients are set to zero, so that only what speaks for the class is followed:
//
//	R^l = 1[f^l > 0] · 1[R^(l+1) > 0] · R^(l+1),  M_ij = max_c |R^0_ijc|
//
// The map depends on the picture's edges far more than on the class (Adebayo et al., Sanity Checks for Saliency Maps,
// NeurIPS 2018).
//
// Source: Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR 2015 workshop.
func guidedBackprop(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := checkImage(e, explaind.NeedsGuidedGradients); err != nil {
		return nil, nil, err
	}
	return largest(e.GuidedGradients), nil, nil
}

// largest is max_c |x_ijc| of x [H, W, C]; NaN where one of them is.
func largest(x *explaind.Tensor) *explaind.Heatmap {
	h := explaind.NewHeatmap(x.Shape[0], x.Shape[1])
	channels := x.Shape[2]
	for i := range h.Values {
		for _, v := range x.Data[i*channels : (i+1)*channels] {
			h.Values[i] = max(h.Values[i], float32(math.Abs(float64(v))))
		}
	}
	return h
}
