package graphdef

import "slices"

// Cut returns the tensors that have to be fed beside the tensor at, so that the part of the graph behind it runs without
// the input: those that depend on the input but not on at, and are read by what leads from at to the targets.
func Cut(g *Graph, input, at Ref, targets ...Ref) []Ref {
	fromInput, fromAt, needed := g.Descendants(input.Node), g.Descendants(at.Node), g.Ancestors(targets...)
	var cut []Ref
	for _, n := range g.Nodes {
		if !fromAt[n.Name] || !needed[n.Name] || n.Name == at.Node {
			continue
		}
		for _, in := range Inputs(n) {
			if fromInput[in.Node] && (!fromAt[in.Node]) && !slices.Contains(cut, in) {
				cut = append(cut, in)
			}
		}
	}
	return cut
}
