package graphdef

import (
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// AsFloat returns the tensor, of type t, as float32.
func AsFloat(g *Graph, r Ref, t typespb.DataType) Ref {
	if t == float {
		return r
	}
	name := prefix + "float32/" + strings.ReplaceAll(r.String(), ":", "_")
	if g.Node(name) != nil {
		return Ref{Node: name}
	}
	return g.Add(NewNode("Cast", name, []Ref{r}, attrs{"SrcT": Type(t), "DstT": Type(float)}))
}
