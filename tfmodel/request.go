package tfmodel

import (
	"github.com/explaind/explaind"
)

// checkExplain refuses requests that do not fit the model, and finds the layers.
func (m *Model) checkExplain(r *explaind.ExplainRequest) ([]int, error) {
	if err := m.checkImages(r.Images); err != nil {
		return nil, err
	}
	if len(r.Targets) != r.Images.Rows() {
		return nil, explaind.Errorf(explaind.InvalidArgument, "TARGETS_MISMATCH", "%d images, but targets for %d", r.Images.Rows(), len(r.Targets))
	}
	for _, row := range r.Targets {
		for _, t := range row {
			if err := m.checkTarget(t); err != nil {
				return nil, err
			}
		}
	}
	if err := m.canExplainInput(r.Needs); err != nil {
		return nil, err
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

func (m *Model) checkTarget(t explaind.Target) error {
	classes := m.program.Spec.Head.Classes
	if t.Versus < -1 || t.Versus >= classes || (t.Rank == 0 && (t.Class < 0 || t.Class >= classes)) {
		return explaind.Errorf(explaind.InvalidArgument, "CLASS_OUT_OF_RANGE",
			"class %d (versus %d) is asked for, the model has classes 0 to %d", t.Class, t.Versus, classes-1)
	}
	if t.Rank < 0 || t.Rank > classes {
		return explaind.Errorf(explaind.InvalidArgument, "RANK_OUT_OF_RANGE", "rank %d is asked for, the model has %d classes", t.Rank, classes)
	}
	return nil
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
	case needs&(explaind.NeedsClassWeights|explaind.NeedsHead) != 0 && layer.Name != m.program.Spec.Head.PooledLayer:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_CLASS_WEIGHTS", "layer %q does not go through global average pooling and one dense layer to the classes", layer.Name)
	case needs.Has(explaind.NeedsKernel) && !layer.Kernel:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_KERNEL", "layer %q is not a convolution", layer.Name)
	case needs.Has(explaind.NeedsCrossing) && !layer.Resumable:
		return explaind.Errorf(explaind.FailedPrecondition, "NOT_RESUMABLE", "the network cannot be run from layer %q on", layer.Name)
	}
	return nil
}

// canExplainInput tells why the input cannot give what is needed.
func (m *Model) canExplainInput(needs explaind.Needs) error {
	in := m.program.Spec.Input
	switch {
	case needs&(explaind.NeedsInputGradients|explaind.NeedsGuidedGradients) != 0 && !in.Gradients:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_GRADIENT", "the input has no gradient: %s", in.Reason)
	case needs.Has(explaind.NeedsGuidedGradients) && !in.Guided:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_RECTIFIER", "the network has no rectifiers to guide the gradients")
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
