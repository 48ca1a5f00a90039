package graphdef

// FloatInput is where the input first is a tensor of floating-point numbers, so that gradients can reach it: the input
// itself, or what a single Cast makes of it. isFloat tells a tensor's type. ok is false if there is no such place.
func FloatInput(g *Graph, input Ref, isFloat func(Ref) bool) (at Ref, ok bool) {
	consumers := g.Consumers()
	for at = input; !isFloat(at); at = (Ref{Node: consumers[at.Node][0].Name}) {
		next := consumers[at.Node]
		if len(next) != 1 || next[0].Op != "Cast" && next[0].Op != "Identity" {
			return Ref{}, false
		}
	}
	return at, true
}
