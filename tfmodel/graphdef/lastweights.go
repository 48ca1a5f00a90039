package graphdef

import (
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// LastWeights are the variables of the layer that makes the logits: of the last dense layer or convolution on each way
// from the input to the logits, and of all that follows it, such as its bias. isVariable tells the nodes that variables
// are in the graph.
func LastWeights(g *Graph, input, logits Ref, isVariable func(name string) bool) map[string]bool {
	fromInput := g.Descendants(input.Node)
	found, seen := map[string]bool{}, map[string]bool{input.Node: true}
	stack := []Ref{logits}
	for len(stack) > 0 {
		n := g.Node(stack[len(stack)-1].Node)
		stack = stack[:len(stack)-1]
		if n == nil || seen[n.Name] {
			continue
		}
		seen[n.Name] = true
		var data, weights []Ref
		for _, in := range Inputs(n) {
			if fromInput[in.Node] {
				data = append(data, in)
			} else {
				weights = append(weights, in)
			}
		}
		for name := range g.Ancestors(weights...) {
			if isVariable(name) {
				found[name] = true
			}
		}
		if !multiplies(n) || len(weights) == 0 { // two tensors that both come from the input have no kernel between them
			stack = append(stack, data...)
		}
	}
	return found
}

// multiplies tells whether a node is a matrix product or a convolution.
func multiplies(n *nodepb.NodeDef) bool {
	return strings.Contains(n.Op, "MatMul") || strings.HasPrefix(n.Op, "Conv") || n.Op == "DepthwiseConv2dNative" || n.Op == "Einsum"
}
