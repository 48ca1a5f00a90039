package tfmodel

import (
	"slices"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// newSpec describes the model from what was found in its graph. What the sidecar adds is put in by dress.
func newSpec(sig *signature, bones *skeleton, classes classesOutput, head graphdef.Head, layers []graphdef.Layer, defaultLayer int, p *program) explaind.Spec {
	spec := explaind.Spec{
		Signature: sig.name,
		Input: explaind.Input{
			Name: sig.inputName, DType: typeName(sig.inputType),
			Batch: known(sig.inputShape[0]), Height: known(sig.inputShape[1]), Width: known(sig.inputShape[2]), Channels: known(sig.inputShape[3]),
			Gradients: p.Spec.Input.Gradients, Reason: p.Spec.Input.Reason, Guided: p.Spec.Input.Guided,
		},
		Head: explaind.Head{Output: classes.name, Activation: explaind.Activation(head.Activation), Classes: int(classes.count)},
	}
	for _, out := range p.Outputs {
		shape, _ := bones.shapes(out.Tensor)
		dtype, _ := bones.dtype(out.Tensor)
		spec.Outputs = append(spec.Outputs, explaind.Output{Name: out.Name, DType: typeName(typespb.DataType(dtype)), Shape: ints(shape)})
	}
	for i, l := range layers {
		spec.Layers = append(spec.Layers, explaind.Layer{
			Name: l.Name, Aliases: l.Aliases, Op: l.Op,
			Height: known(l.Shape[1]), Width: known(l.Shape[2]), Channels: int(l.Shape[3]),
			Gradients: p.Spec.Layers[i].Gradients, Reason: p.Spec.Layers[i].Reason,
			Kernel: l.Kernel != graphdef.Ref{}, Resumable: p.Spec.Layers[i].Resumable,
		})
		if l.Output == head.Pooled {
			spec.Head.PooledLayer = l.Name
		}
	}
	if defaultLayer >= 0 {
		spec.DefaultLayer = layers[defaultLayer].Name
	} else {
		spec.Warnings = append(spec.Warnings, "the model has no feature map [N, H, W, C] between its input and its classes: it can be explained at its input only")
	}
	return spec
}

// dress adds what stands in the files beside the model.
func dress(spec *explaind.Spec, dir, digest string, side sidecar) error {
	if err := side.checkChannels(spec.Input.Channels); err != nil {
		return err
	}
	spec.Digest = digest
	spec.Preprocessing = side.preprocessing()
	labels, warnings, err := side.labels(dir, spec.Head.Classes)
	if err != nil {
		return err
	}
	spec.Labels = labels
	spec.Warnings = append(slices.Clip(spec.Warnings), warnings...)
	if side.Layer != "" {
		layer, err := spec.FindLayer(side.Layer)
		if err != nil {
			return sidecarError("layer: %w", err)
		}
		spec.DefaultLayer = layer.Name
	}
	return nil
}

// known is a static size, 0 for any.
func known(d int64) int { return int(max(d, 0)) }

func ints(shape []int64) []int {
	out := make([]int, len(shape))
	for i, d := range shape {
		out[i] = int(d)
	}
	return out
}
