package explain

import (
	"slices"

	"github.com/explaind/explaind"
)

// check makes sure that the evidence holds activations [H, W, C] and all else that a method needs, in shapes that fit
// each other. No method indexes evidence that was not checked.
func check(e *explaind.Evidence, needs explaind.Needs) error {
	if e == nil {
		return malformed("the evidence is missing")
	}
	a := e.Activations
	if a == nil {
		return malformed("activations are missing")
	}
	if len(a.Shape) != 3 || a.Shape[0] < 1 || a.Shape[1] < 1 || a.Shape[2] < 1 || len(a.Data) != explaind.Elements(a.Shape) {
		return malformed("activations must be [H, W, C], got shape %v with %d values", a.Shape, len(a.Data))
	}
	channels := a.Shape[2]
	if needs.Has(explaind.NeedsGradients) {
		g := e.Gradients
		if g == nil {
			return malformed("gradients are missing")
		}
		if !slices.Equal(g.Shape, a.Shape) || len(g.Data) != len(a.Data) {
			return malformed("gradients must have the activations' shape %v, got %v with %d values", a.Shape, g.Shape, len(g.Data))
		}
	}
	if needs.Has(explaind.NeedsClassWeights) && len(e.ClassWeights) != channels {
		return malformed("class weights must be one for each of %d channels, got %d", channels, len(e.ClassWeights))
	}
	if k := e.HeadKernel; needs.Has(explaind.NeedsHead) {
		if k == nil || len(k.Shape) != 2 || k.Shape[0] != channels || k.Shape[1] != len(e.Probabilities) || len(k.Data) != explaind.Elements(k.Shape) ||
			e.Class < 0 || e.Class >= len(e.Probabilities) {
			return malformed("the head's kernel must be [%d, classes], with a probability for each class", channels)
		}
	}
	if needs.Has(explaind.NeedsKernel) {
		k := e.Kernel
		if k == nil {
			return malformed("the kernel is missing")
		}
		if len(k.Shape) != 4 || k.Shape[0] < 1 || k.Shape[1] < 1 || k.Shape[2] < 1 || k.Shape[3] != channels || len(k.Data) != explaind.Elements(k.Shape) {
			return malformed("the kernel must be [kh, kw, in, %d], got shape %v with %d values", channels, k.Shape, len(k.Data))
		}
	}
	return nil
}

// checkImage makes sure that the evidence holds the image, and the gradients there that a method needs.
func checkImage(e *explaind.Evidence, needs explaind.Needs) error {
	if e == nil || e.Input == nil {
		return malformed("the image is missing")
	}
	s := e.Input.Shape
	if len(s) != 3 || s[0] < 1 || s[1] < 1 || s[2] < 1 || len(e.Input.Data) != explaind.Elements(s) {
		return malformed("the image must be [H, W, C], got shape %v with %d values", s, len(e.Input.Data))
	}
	for need, x := range map[explaind.Needs]*explaind.Tensor{
		explaind.NeedsInputGradients: e.InputGradients, explaind.NeedsGuidedGradients: e.GuidedGradients,
	} {
		if needs.Has(need) && (x == nil || !slices.Equal(x.Shape, s) || len(x.Data) != len(e.Input.Data)) {
			return malformed("gradients at the image must have its shape %v", s)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	e := explaind.Errorf(explaind.Internal, "MALFORMED_EVIDENCE", "evidence does not fit the method: "+format, args...)
	e.Message += "; this is a fault of the server, please report it with the model's description"
	return e
}
