package graphdef

import (
	"slices"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// rectifierGradients are the gradients of activations that let through what is positive. Their first input is the gradient
// that comes in.
var rectifierGradients = []string{"ReluGrad", "Relu6Grad", "LeakyReluGrad", "EluGrad", "SeluGrad"}

// AddGuided adds guided backpropagation: the backward pass from the cotangent to the gradient once more, with a ReLU on
// what comes in at every rectifier. The weights are shared. It returns the zero Ref if there is no rectifier on the way.
func AddGuided(g *Graph, cotangent, gradient Ref) Ref {
	after, before := g.Descendants(cotangent.Node), g.Ancestors(gradient)
	var backward []*nodepb.NodeDef
	rectified := false
	for _, n := range g.Nodes {
		if after[n.Name] && before[n.Name] && n.Name != cotangent.Node {
			backward = append(backward, n)
			rectified = rectified || slices.Contains(rectifierGradients, n.Op)
		}
	}
	if !rectified {
		return Ref{}
	}
	copied := map[string]string{}
	for _, n := range backward {
		inputs := Inputs(n)
		for i, in := range inputs {
			if name, ok := copied[in.Node]; ok {
				inputs[i].Node = name
			}
		}
		name := prefix + "guided/" + n.Name
		if slices.Contains(rectifierGradients, n.Op) {
			inputs[0] = g.Add(NewNode("Relu", name+"/rectified", inputs[:1], attrs{"T": n.Attr["T"]}))
		}
		g.Add(NewNode(n.Op, name, inputs, n.Attr))
		copied[n.Name] = name
	}
	return Ref{Node: copied[gradient.Node], Index: gradient.Index}
}
