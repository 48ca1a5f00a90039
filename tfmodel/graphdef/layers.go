package graphdef

import (
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// Layer is one feature map [N, H, W, C] between the input and the logits, named after its Keras layer where the node
// names show it.
type Layer struct {
	Name    string
	Aliases []string // names it answers to as well
	Output  Ref
	Op      string
	Shape   []int64 // [N, H, W, C], -1 for any
	Kernel  Ref     // of the layer's own convolution [kh, kw, in, out]; zero if it has none
}

// FindLayers returns the feature maps on the way from the input to the logits, in the order of the forward pass, and the
// index of the default one, -1 if there is none.
//
// The nodes of one Keras layer are one layer, whose output is the last feature map that another layer reads. The
// default layer is the last that computes something: one that only pools, pads or copies shows less of the same.
func FindLayers(g *Graph, input, logits Ref, shapes Shapes) (layers []Layer, defaultLayer int) {
	after, before := g.Descendants(input.Node), g.Ancestors(logits)
	var onPath []*nodepb.NodeDef
	for _, n := range g.Nodes {
		if after[n.Name] && before[n.Name] && n.Name != input.Node {
			onPath = append(onPath, n)
		}
	}
	names := nameLayers(onPath)
	grids := findGrids(onPath, input, shapes)
	consumers := g.Consumers()
	index := map[string]int{}
	defaultLayer = -1
	for _, n := range onPath {
		shape, ok := shapes(Ref{Node: n.Name})
		if !ok || !isFeatureMap(shape) || n.Name == logits.Node || !grids.has(shape) {
			continue
		}
		scope := names[n.Name].scope
		if !leaves(consumers[n.Name], scope, names) {
			continue
		}
		layer := Layer{Name: names[n.Name].name, Aliases: names[n.Name].aliases, Output: Ref{Node: n.Name}, Op: n.Op, Shape: shape}
		i, seen := index[scope]
		if !seen {
			i = len(layers)
			index[scope] = i
			layers = append(layers, layer)
		}
		layers[i] = layer
	}
	for i := range layers {
		layers[i].Kernel = g.ownKernel(layers[i].Output, names)
		if !movesOnly(layers[i].Op) {
			defaultLayer = i
		}
	}
	return layers, defaultLayer
}

// grids are the sizes [H, W] that positions in the picture come in.
type grids map[[2]int64]bool

// findGrids lists the sizes of the picture and of what convolutions, poolings and their like make of it. Other tensors of
// rank 4, such as those of attention [N, heads, tokens, C], have no positions in the picture.
func findGrids(nodes []*nodepb.NodeDef, input Ref, shapes Shapes) grids {
	found := grids{}
	add := func(r Ref) {
		if shape, ok := shapes(r); ok && len(shape) == 4 {
			found[[2]int64{shape[1], shape[2]}] = true
		}
	}
	add(input)
	for _, n := range nodes {
		switch n.Op {
		case "Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MaxPool", "MaxPoolV2", "AvgPool", "Dilation2D",
			"Pad", "PadV2", "MirrorPad", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic",
			"SpaceToBatchND", "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "ExtractImagePatches":
			add(Ref{Node: n.Name})
		case "StridedSlice": // crops a picture, or takes heads apart
			if shape, ok := shapes(firstInput(n)); ok && len(shape) == 4 {
				add(Ref{Node: n.Name})
			}
		}
	}
	return found
}

func (g grids) has(shape []int64) bool {
	return shape[1] == -1 || shape[2] == -1 || g[[2]int64{shape[1], shape[2]}]
}

// isFeatureMap wants rank 4 and more than one position; an unknown size counts as more than one.
func isFeatureMap(shape []int64) bool {
	return len(shape) == 4 && shape[1] != 1 && shape[2] != 1 && shape[3] > 0
}

// leaves tells whether another layer reads the tensor.
func leaves(consumers []*nodepb.NodeDef, scope string, names map[string]layerName) bool {
	for _, c := range consumers {
		if named, onPath := names[c.Name]; onPath && named.scope != scope {
			return true
		}
	}
	return false
}

// ownKernel is the kernel of the convolution inside the layer, between its output and the previous layer.
func (g *Graph) ownKernel(output Ref, names map[string]layerName) Ref {
	scope := names[output.Node].scope
	for r := output; names[r.Node].scope == scope; {
		n := g.Node(r.Node)
		if n == nil {
			return Ref{}
		}
		if n.Op == "Conv2D" {
			return g.throughCasts(Inputs(n)[1])
		}
		if len(n.Input) == 0 {
			return Ref{}
		}
		r = Inputs(n)[0]
	}
	return Ref{}
}

// movesOnly tells whether an operation makes its output by choosing, averaging or moving values of its input.
func movesOnly(op string) bool {
	switch op {
	case "MaxPool", "MaxPoolV2", "AvgPool", "Pad", "PadV2", "MirrorPad", "Transpose", "Slice", "StridedSlice",
		"ResizeBilinear", "ResizeNearestNeighbor", "SpaceToBatchND", "BatchToSpaceND", "SpaceToDepth", "DepthToSpace":
		return true
	}
	return copies(op)
}
