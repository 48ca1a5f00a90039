// Package explain turns the evidence of one (image, layer, target) into a heatmap by plain arithmetic, one method a
// file. It knows nothing of TensorFlow, of pictures or of protocols.
//
// Most methods are a function of the evidence of one run. Those that ask the model again, about other images than the one
// at hand, get a Question; nothing they do depends on what runs the model.
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

// Func turns the evidence of one (image, layer, target) into a raw map, [H, W] of the layer or, for methods that explain
// the input itself, of the image. It reads the evidence and never keeps or changes it, so that many methods may look at
// one evidence at once.
//
// The only error is an Internal one: the evidence lacks what the method's Definition.Needs asks for, or its shapes do
// not fit each other.
type Func func(e *explaind.Evidence, o *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error)

// Definition is one method: what it has to know, and how it computes.
type Definition struct {
	Method explaind.Method
	Needs  explaind.Needs
	// Func makes the map of the evidence alone; nil for methods that have an AskFunc.
	Func Func
	// Ask makes the maps by further passes of the model; nil for methods that have a Func.
	Ask AskFunc
	// Passes is how many rows Ask has the model compute at most; nil for none.
	Passes func(o *explaind.MethodOptions, s Size) int
	Traits Traits
}

// Traits tell what else is special about a method.
type Traits uint8

// The traits.
const (
	// OfInput: the method looks at no layer; its map is the image's.
	OfInput Traits = 1 << iota
	// Weighs: the method weighs activations, so that EigenSmooth can be applied.
	Weighs
	// Fine: the map tells single pixels apart, and is drawn without its few largest values.
	Fine
	// Relative: only the differences between the map's values mean something.
	Relative
)

// Has tells whether all of other is in t.
func (t Traits) Has(other Traits) bool { return t&other == other }

// Size is what the number of passes depends on: the image's size, and the layer's number of channels.
type Size struct{ Height, Width, Channels int }

const (
	gradients = explaind.NeedsGradients
	ofX       = explaind.NeedsInputGradients
	guidedOfX = explaind.NeedsGuidedGradients
	ofP       = explaind.NeedsProbability
)

var table = []Definition{
	{Method: explaind.MethodCAM, Needs: explaind.NeedsClassWeights, Func: cam},
	{Method: explaind.MethodGradCAM, Needs: gradients, Func: gradCAM, Traits: Weighs},
	{Method: explaind.MethodGradCAMPlusPlus, Needs: gradients, Func: gradCAMPlusPlus, Traits: Weighs},
	{Method: explaind.MethodHiResCAM, Needs: gradients, Func: hiResCAM, Traits: Weighs},
	{Method: explaind.MethodXGradCAM, Needs: gradients, Func: xGradCAM, Traits: Weighs},
	{Method: explaind.MethodLayerCAM, Needs: gradients, Func: layerCAM, Traits: Weighs},
	{Method: explaind.MethodEigenCAM, Func: eigenCAM},
	{Method: explaind.MethodEigenGradCAM, Needs: gradients, Func: eigenGradCAM},
	{Method: explaind.MethodScoreCAM, Ask: scoreCAM, Passes: scoreCAMPasses, Traits: Weighs},
	{Method: explaind.MethodAblationCAM, Needs: explaind.NeedsCrossing, Ask: ablationCAM, Passes: ablationCAMPasses, Traits: Weighs},
	{Method: explaind.MethodSaliency, Needs: ofX, Func: saliency, Traits: OfInput | Fine},
	{Method: explaind.MethodGradientXInput, Needs: ofX, Func: gradientXInput, Traits: OfInput | Fine},
	{Method: explaind.MethodSmoothGrad, Needs: ofX, Ask: smoothGrad, Passes: noisePasses, Traits: OfInput | Fine},
	{Method: explaind.MethodIntegratedGradients, Needs: ofX, Ask: integratedGradients, Passes: integrationPasses, Traits: OfInput | Fine},
	{Method: explaind.MethodGuidedBackprop, Needs: guidedOfX, Func: guidedBackprop, Traits: OfInput | Fine},
	{Method: explaind.MethodGuidedGradCAM, Needs: gradients | guidedOfX, Ask: guidedGradCAM, Traits: Fine},
	{Method: explaind.MethodGuidedGradCAMPlusPlus, Needs: gradients | guidedOfX, Ask: guidedGradCAMPlusPlus, Traits: Fine},
	{Method: explaind.MethodSmoothGradCAMPlusPlus, Needs: gradients, Ask: smoothGradCAMPlusPlus, Passes: noisePasses, Traits: Weighs},
	{Method: explaind.MethodOcclusion, Ask: occlusion, Passes: occlusionPasses, Traits: OfInput},
	{Method: explaind.MethodRISE, Ask: rise, Passes: risePasses, Traits: OfInput | Relative},
	{Method: explaind.MethodArticleCAM, Needs: explaind.NeedsKernel, Func: articleCAM},
	{Method: explaind.MethodArticleGradCAM, Needs: gradients | ofP, Func: articleGradCAM},
	{Method: explaind.MethodArticleGradCAMPlusPlus, Needs: gradients | ofP, Func: articleGradCAMPlusPlus},
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
