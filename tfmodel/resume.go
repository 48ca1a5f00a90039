package tfmodel

import (
	"context"
	"slices"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// PredictFrom runs what lies behind a layer, see explaind.Model.
func (m *Model) PredictFrom(ctx context.Context, from *explaind.Evidence, activations *explaind.Tensor) (*explaind.Prediction, error) {
	l, err := m.layerIndex(from.Layer)
	if err != nil {
		return nil, err
	}
	if err := m.canExplain(l, explaind.NeedsCrossing); err != nil {
		return nil, err
	}
	layer := m.program.Layers[l]
	shape := activations.Shape
	if len(shape) != 4 || shape[0] < 1 || from.Activations == nil || !slices.Equal(shape[1:], from.Activations.Shape) || len(activations.Data) != explaind.Elements(shape) {
		return nil, explaind.Errorf(explaind.InvalidArgument, "SHAPE_MISMATCH", "activations %v with %d values do not take the place of the layer's own", shape, len(activations.Data))
	}
	if len(from.Crossing) != len(layer.Ahead) {
		return nil, explaind.Errorf(explaind.InvalidArgument, "EVIDENCE_INCOMPLETE", "the evidence of layer %q was collected without NeedsCrossing", from.Layer)
	}
	in, err := m.feedLayer(layer.Activations, activations, layer.Ahead, gatherAll(from.Crossing, make([]int, shape[0])))
	if err != nil {
		return nil, err
	}
	defer in.free()
	results, err := m.fetch(ctx, []graphdef.Ref{m.program.Score.Logits, m.program.Score.Probabilities}, in)
	if err != nil {
		return nil, err
	}
	return &explaind.Prediction{Logits: results[0], Probabilities: results[1]}, nil
}

// feedLayer feeds a layer's activations and what passes by it. Whoever calls it frees the feeds.
func (m *Model) feedLayer(layer graphdef.Ref, activations *explaind.Tensor, crossing []graphdef.Ref, values []*explaind.Tensor) (feeds, error) {
	in := feeds{}
	for i, ref := range append([]graphdef.Ref{layer}, crossing...) {
		x := activations
		if i > 0 {
			x = values[i-1]
		}
		fed, err := toTensor(x, tf.Float)
		if err != nil {
			in.free()
			return nil, internal(err)
		}
		in[ref] = fed
	}
	return in, nil
}

func gatherAll(tensors []*explaind.Tensor, rows []int) []*explaind.Tensor {
	out := make([]*explaind.Tensor, len(tensors))
	for i, t := range tensors {
		out[i] = t.Gather(rows)
	}
	return out
}
