package explain

import (
	"fmt"

	"github.com/explaind/explaind"
)

// Supports tells why a method cannot explain a layer of a model; nil if it can. The error is a FailedPrecondition that
// names the methods which can, or Lookup's for a method that does not exist.
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
	advice := "no method can explain this layer; choose another layer"
	if len(able) > 0 {
		advice = "methods that work on this layer: " + join(able)
	}
	e := explaind.Errorf(explaind.FailedPrecondition, "METHOD_UNSUPPORTED",
		"%s cannot explain layer %q: %s; %s", m, layer.Name, reason, advice)
	e.Metadata = map[string]string{"method": string(m), "layer": layer.Name, "supported": join(able)}
	return e
}

// Supported lists the methods that can explain a layer of a model, in the order of the table.
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
	if d.Needs.Has(explaind.NeedsClassWeights) {
		switch spec.Head.PooledLayer {
		case "":
			return "the model's head is not global average pooling and one dense layer, so there are no class weights"
		case layer.Name:
		default:
			return fmt.Sprintf("class weights belong to layer %q, which the head pools; it works there", spec.Head.PooledLayer)
		}
	}
	if d.Needs.Has(explaind.NeedsKernel) && !layer.Kernel {
		return "the layer is not a convolution whose kernel is known"
	}
	if d.Needs.Has(explaind.NeedsGradients) && !layer.Gradients {
		if layer.Reason == "" {
			return "the classes have no gradient there"
		}
		return "the classes have no gradient there: " + layer.Reason
	}
	return ""
}
