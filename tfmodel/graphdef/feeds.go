package graphdef

import (
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// Unfed lists the placeholders, other than the input, that the outputs cannot do without. What only leads to the input
// does not count: a run starts there.
func Unfed(g *Graph, input Ref, outputs ...Ref) []string {
	return g.behind(input, outputs, func(n *nodepb.NodeDef) bool { return n.Op == "Placeholder" })
}

// Random lists the nodes between the input and the outputs that draw random numbers: augmentation or dropout that was
// left on when the model was exported.
func Random(g *Graph, input Ref, outputs ...Ref) []string {
	return g.behind(input, outputs, func(n *nodepb.NodeDef) bool { return strings.Contains(n.Op, "Random") })
}

// behind lists the nodes that suit among those that a run from the input to the outputs computes.
func (g *Graph) behind(input Ref, outputs []Ref, suits func(*nodepb.NodeDef) bool) []string {
	needed := map[string]bool{}
	for _, out := range outputs {
		needed[out.Node] = true
	}
	var found []string
	for _, n := range slices.Backward(g.Nodes) { // topological order
		if !needed[n.Name] || n.Name == input.Node {
			continue
		}
		if suits(n) {
			found = append(found, n.Name)
		}
		for _, in := range Inputs(n) {
			needed[in.Node] = true
		}
	}
	return found
}
