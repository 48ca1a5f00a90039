package tfmodel

import (
	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// program is a compiled model: what it is and where its tensors are in the static graph. It is kept in the cache as
// JSON, beside the graphs and the resident weights.
type program struct {
	Version     string
	Spec        explaind.Spec
	Input       graphdef.Ref
	Score       graphdef.Score
	DenseKernel graphdef.Ref // of a head of pooling + dense; zero for others
	Outputs     []output
	Layers      []layerTensors // parallel to Spec.Layers
	// InputGradients is ∂S/∂x, GuidedGradients the same by guided backpropagation; zero where the model has none.
	InputGradients  graphdef.Ref
	GuidedGradients graphdef.Ref
	Resident        []residentWeight
	Checksums       map[string]uint32 // CRC-32C of the other files, by their names
}

// layerTensors are the tensors of one layer, all but Cut of float32.
type layerTensors struct {
	Activations graphdef.Ref
	Gradients   graphdef.Ref // zero where the layer has none
	Kernel      graphdef.Ref // zero where the layer is no convolution
	// Cut is what has to be fed beside the activations so that the backward pass runs without the image.
	Cut []graphdef.Ref
	// Feedable is false if a tensor of Cut has no row per image; then the image itself is fed again.
	Feedable bool
	// Chain are the layers, by their indices, whose gradients the backward pass to this one computes on its way.
	Chain []int
	// Ahead is Cut for the pass from the layer on to the logits, which wants less; Spec's Resumable is its Feedable.
	Ahead []graphdef.Ref
}

// residentWeight is a weight outside of the plain graph.
type residentWeight struct {
	Variable graphdef.Variable
	Bytes    int64
	Folded   bool // a constant of the optimised graph
}
