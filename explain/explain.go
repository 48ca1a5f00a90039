// Package explain turns the evidence of one (image, layer, target) into a heatmap by plain arithmetic, one method a
// file. It knows nothing of TensorFlow, of pictures or of protocols.
//
// The maps are at the layer's resolution and in the method's own unit: after the formula's own ReLU if it has one,
// before up-sampling and before Heatmap.Normalize. Sums run in float64: thousands of terms of both signs would cost
// float32 digits that the gradients still have.
//
// NaN and infinities of the evidence are never swallowed: they reach the map, where Heatmap.Normalize reports them.
package explain

import (
	"strings"

	"github.com/explaind/explaind"
)

// Func turns the evidence of one (image, layer, target) into a raw map [H, W]. It reads the evidence and never keeps or
// changes it, so that many methods may look at one evidence at once.
//
// The only error is an Internal one: the evidence lacks what the method's Definition.Needs asks for, or its shapes do
// not fit each other.
type Func func(e *explaind.Evidence) (*explaind.Heatmap, []explaind.Flag, error)

// Definition is one method: what it has to know, and how it computes.
type Definition struct {
	Method explaind.Method
	Needs  explaind.Needs
	Func   Func
}

var table = []Definition{
	{explaind.MethodCAM, explaind.NeedsClassWeights, cam},
	{explaind.MethodGradCAM, explaind.NeedsGradients, gradCAM},
	{explaind.MethodGradCAMPlusPlus, explaind.NeedsGradients, gradCAMPlusPlus},
	{explaind.MethodArticleCAM, explaind.NeedsKernel, articleCAM},
	{explaind.MethodArticleGradCAM, explaind.NeedsGradients | explaind.NeedsProbability, articleGradCAM},
	{explaind.MethodArticleGradCAMPlusPlus, explaind.NeedsGradients | explaind.NeedsProbability, articleGradCAMPlusPlus},
}

// Methods lists all methods, in the order of the table.
func Methods() []explaind.Method {
	methods := make([]explaind.Method, len(table))
	for i, d := range table {
		methods[i] = d.Method
	}
	return methods
}

// Lookup finds a method's definition. The error is an InvalidArgument that lists the methods.
func Lookup(m explaind.Method) (Definition, error) {
	for _, d := range table {
		if d.Method == m {
			return d, nil
		}
	}
	return Definition{}, explaind.Errorf(explaind.InvalidArgument, "UNKNOWN_METHOD",
		"method %q is not known; choose among %s", m, join(Methods()))
}

// Parse reads a method's name as people type it: "Grad-CAM++", "grad_cam_plus_plus", "METHOD_CAM".
func Parse(name string) (explaind.Method, error) {
	return explaind.ParseMethod(name, Methods())
}

func join(methods []explaind.Method) string {
	names := make([]string, len(methods))
	for i, m := range methods {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}
