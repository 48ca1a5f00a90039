package explain

import (
	"fmt"

	"github.com/explaind/explaind"
)

// Supports tells why a method cannot explain a layer of a model; nil if it can. The layer is nil for models without any,
// where methods that explain the input itself work. The error is a FailedPrecondition that names the methods which can,
// or Lookup's for a method that does not exist.
func Supports(m explaind.Method, spec *explaind.Spec, layer *explaind.Layer) error {
	definition, err := Lookup(m)
	if err != nil {
		return err
	}
	reason := obstacle(definition, spec, layer)
	if reason == "" {
		return nil
	}
	able := Supported(spec, layer)
	where, advice := "the input", "no method can explain this model"
	if layer != nil {
		where, advice = fmt.Sprintf("layer %q", layer.Name), "no method can explain this layer; choose another layer"
	}
	if len(able) > 0 {
		advice = "methods that work here: " + join(able)
	}
	e := explaind.Errorf(explaind.FailedPrecondition, "METHOD_UNSUPPORTED", "%s cannot explain %s: %s; %s", m, where, reason, advice)
	e.Metadata = map[string]string{"method": string(m), "supported": join(able)}
	if layer != nil {
		e.Metadata["layer"] = layer.Name
	}
	return e
}

// Supported lists the methods that can explain a layer of a model, in the order of the table; for no layer, those that
// explain the input itself.
func Supported(spec *explaind.Spec, layer *explaind.Layer) []explaind.Method {
	var able []explaind.Method
	for _, d := range table {
		if obstacle(d, spec, layer) == "" {
			able = append(able, d.Method)
		}
	}
	return able
}

// obstacle says what stands between a method and a layer; "" if nothing does.
func obstacle(d Definition, spec *explaind.Spec, layer *explaind.Layer) string {
	if d.Needs.Has(explaind.NeedsInputGradients) || d.Needs.Has(explaind.NeedsGuidedGradients) {
		switch in := spec.Input; {
		case !in.Gradients:
			return because("the classes have no gradient at the input", in.Reason)
		case d.Needs.Has(explaind.NeedsGuidedGradients) && !in.Guided:
			return "the network has no rectifiers (ReLU and its kin) to guide the gradients"
		}
	}
	if d.Traits.Has(OfInput) {
		return ""
	}
	if layer == nil {
		return "the model has no layer that it could look at"
	}
	if d.Needs.Has(explaind.NeedsClassWeights) {
		if reason := withoutHead(spec, layer); reason != "" {
			return reason
		}
	}
	if d.Needs.Has(explaind.NeedsKernel) && !layer.Kernel {
		return "the layer is not a convolution whose kernel is known"
	}
	if d.Needs.Has(explaind.NeedsGradients) && !layer.Gradients {
		return because("the classes have no gradient there", layer.Reason)
	}
	if d.Needs.Has(explaind.NeedsCrossing) && !layer.Resumable {
		return "the network cannot be run from the layer on, because it has a fixed batch size or tensors without a row per image pass by the layer"
	}
	return ""
}

// withoutHead says why a layer has no class weights; "" if it has.
func withoutHead(spec *explaind.Spec, layer *explaind.Layer) string {
	switch spec.Head.PooledLayer {
	case "":
		return "the model's head is not global average pooling and one dense layer, so there are no class weights"
	case layer.Name:
		return ""
	default:
		return fmt.Sprintf("class weights belong to layer %q, which the head pools; it works there", spec.Head.PooledLayer)
	}
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}
