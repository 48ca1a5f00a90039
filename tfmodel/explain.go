package tfmodel

import (
	"context"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// Explain collects the evidence of every (row, layer, target), see explaind.Model.
//
// One target a row, known before the run or the most probable class, costs one run for prediction and gradients
// together. Otherwise the forward pass runs once for the predictions and activations, and the gradients of each layer
// come from a second run that is fed the activations, one row per (image, target), and does not touch what lies before
// the layer.
func (m *Model) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	layers, err := m.checkExplain(r)
	if err != nil {
		return nil, err
	}
	var found *gathered
	if t := oneRun(r); t != nil || !r.Needs.Has(explaind.NeedsGradients) {
		found, err = m.explainAtOnce(ctx, r, layers, t)
	} else {
		found, err = m.explainRows(ctx, r, layers)
	}
	if err != nil {
		return nil, err
	}
	return m.evidence(ctx, r, layers, found)
}

// gathered is what the runs brought, per layer.
type gathered struct {
	prediction  *explaind.Prediction
	activations []*explaind.Tensor // per layer [N, H, W, C]
	gradients   []*explaind.Tensor // per layer, one row per (row, target) in that order; nil without NeedsGradients
}

func (m *Model) checkExplain(r *explaind.ExplainRequest) ([]int, error) {
	if err := m.checkImages(r.Images); err != nil {
		return nil, err
	}
	if len(r.Targets) != r.Images.Rows() {
		return nil, explaind.Errorf(explaind.InvalidArgument, "TARGETS_MISMATCH", "%d images, but targets for %d", r.Images.Rows(), len(r.Targets))
	}
	for _, row := range r.Targets {
		for _, t := range row {
			classes := m.program.Spec.Head.Classes
			if t.Versus < -1 || t.Versus >= classes || (t.Rank == 0 && (t.Class < 0 || t.Class >= classes)) {
				return nil, explaind.Errorf(explaind.InvalidArgument, "CLASS_OUT_OF_RANGE",
					"class %d (versus %d) is asked for, the model has classes 0 to %d", t.Class, t.Versus, classes-1)
			}
			if t.Rank < 0 || t.Rank > classes {
				return nil, explaind.Errorf(explaind.InvalidArgument, "RANK_OUT_OF_RANGE", "rank %d is asked for, the model has %d classes", t.Rank, classes)
			}
		}
	}
	layers := make([]int, len(r.Layers))
	for i, name := range r.Layers {
		index, err := m.layerIndex(name)
		if err != nil {
			return nil, err
		}
		if err := m.canExplain(index, r.Needs); err != nil {
			return nil, err
		}
		layers[i] = index
	}
	return layers, nil
}

func (m *Model) layerIndex(name string) (int, error) {
	layer, err := m.program.Spec.FindLayer(name)
	if err != nil {
		return 0, err
	}
	for i := range m.program.Spec.Layers {
		if &m.program.Spec.Layers[i] == layer {
			return i, nil
		}
	}
	return 0, explaind.NotFoundError("layer", name, nil)
}

// canExplain tells why a layer cannot give what is needed.
func (m *Model) canExplain(index int, needs explaind.Needs) error {
	layer := m.program.Spec.Layers[index]
	switch {
	case needs.Has(explaind.NeedsGradients) && !layer.Gradients:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_GRADIENT", "layer %q has no gradient: %s", layer.Name, layer.Reason)
	case needs.Has(explaind.NeedsClassWeights) && layer.Name != m.program.Spec.Head.PooledLayer:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_CLASS_WEIGHTS", "layer %q does not go through global average pooling and one dense layer to the classes", layer.Name)
	case needs.Has(explaind.NeedsKernel) && !layer.Kernel:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_KERNEL", "layer %q is not a convolution", layer.Name)
	}
	return nil
}

// oneRun returns the rows' targets if each row has exactly one that needs no earlier run: a class, or the best one.
func oneRun(r *explaind.ExplainRequest) *targets {
	t := best(len(r.Targets))
	t.ofProbability = r.Score == explaind.ScoreProbability
	for i, row := range r.Targets {
		if len(row) != 1 || row[0].Rank > 1 {
			return nil
		}
		if row[0].Rank == 0 {
			t.class[i] = int32(row[0].Class)
		}
		t.versus[i] = int32(row[0].Versus)
	}
	return t
}

// explainAtOnce fetches everything in one run.
func (m *Model) explainAtOnce(ctx context.Context, r *explaind.ExplainRequest, layers []int, t *targets) (*gathered, error) {
	fetches := m.forwardFetches(layers)
	gradients := r.Needs.Has(explaind.NeedsGradients)
	if gradients {
		for _, l := range layers {
			fetches = append(fetches, m.program.Layers[l].Gradients)
		}
	} else {
		t = nil
	}
	results, err := m.forward(ctx, fetches, r.Images, t)
	if err != nil {
		return nil, err
	}
	found := newGathered(results, len(layers))
	if gradients {
		found.gradients = results[2+len(layers):]
	}
	return found, nil
}

func (m *Model) forwardFetches(layers []int) []graphdef.Ref {
	fetches := []graphdef.Ref{m.program.Score.Logits, m.program.Score.Probabilities}
	for _, l := range layers {
		fetches = append(fetches, m.program.Layers[l].Activations)
	}
	return fetches
}

func newGathered(results []*explaind.Tensor, layers int) *gathered {
	return &gathered{
		prediction:  &explaind.Prediction{Logits: results[0], Probabilities: results[1]},
		activations: results[2 : 2+layers],
	}
}

// explainRows runs forward once, then backward per layer with one row per (image, target).
func (m *Model) explainRows(ctx context.Context, r *explaind.ExplainRequest, layers []int) (*gathered, error) {
	fetches := m.forwardFetches(layers)
	for _, l := range layers {
		if t := m.program.Layers[l]; t.Feedable {
			fetches = append(fetches, t.Cut...)
		}
	}
	results, err := m.forward(ctx, fetches, r.Images, nil)
	if err != nil {
		return nil, err
	}
	found := newGathered(results, len(layers))
	rows, t := expand(r, found.prediction.Logits)
	cut := results[2+len(layers):]
	for i, l := range layers {
		layer := m.program.Layers[l]
		var gradients []*explaind.Tensor
		if layer.Feedable {
			start := map[graphdef.Ref]*explaind.Tensor{layer.Activations: found.activations[i]}
			for _, ref := range layer.Cut {
				start[ref], cut = cut[0], cut[1:]
			}
			gradients, err = m.backward(ctx, layer.Gradients, start, rows, t)
		} else {
			gradients, err = m.forward(ctx, []graphdef.Ref{layer.Gradients}, r.Images.Gather(rows), t)
		}
		if err != nil {
			return nil, err
		}
		found.gradients = append(found.gradients, gradients[0])
	}
	return found, nil
}

// expand lists one entry per (row, target): the image's row and the resolved target.
func expand(r *explaind.ExplainRequest, logits *explaind.Tensor) (rows []int, t *targets) {
	t = &targets{ofProbability: r.Score == explaind.ScoreProbability}
	for row, list := range r.Targets {
		var order []int
		for _, target := range list {
			rows = append(rows, row)
			t.class = append(t.class, int32(resolve(target, logits.Row(row).Data, &order)))
			t.versus = append(t.versus, int32(target.Versus))
		}
	}
	return rows, t
}

// backward runs from a layer's activations, and what else crosses the layer, to the gradient there.
func (m *Model) backward(ctx context.Context, gradient graphdef.Ref, start map[graphdef.Ref]*explaind.Tensor, rows []int, t *targets) ([]*explaind.Tensor, error) {
	in := feeds{}
	for ref, values := range start {
		fed, err := toTensor(values.Gather(rows), tf.Float)
		if err != nil {
			return nil, internal(err)
		}
		in[ref] = fed
	}
	if err := t.feed(in, m.program.Score); err != nil {
		return nil, internal(err)
	}
	return m.fetch(ctx, []graphdef.Ref{gradient}, in)
}
