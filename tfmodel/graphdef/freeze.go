package graphdef

import (
	"fmt"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Variable is a weight of the model: one placeholder in the frozen graph.
type Variable struct {
	Name  string // of the placeholder in the frozen graph
	Owner string // name of the variable's node in the flat graph
	Type  typespb.DataType
	Shape []int64
}

// Freeze replaces every variable, and what reads it, by one placeholder of the variable's shape. The values stay
// outside: the graph keeps the size of its structure until the end.
func Freeze(g *Graph) (*Graph, []Variable, error) {
	out := NewGraph()
	var variables []Variable
	alias := map[string]Ref{} // resource or reference → placeholder
	for _, n := range g.Nodes {
		switch n.Op {
		case "VarHandleOp", "VariableV2", "Variable":
			v := Variable{Name: n.Name, Owner: n.Name, Type: n.Attr["dtype"].GetType(), Shape: shapeOf(n.Attr["shape"].GetShape())}
			variables = append(variables, v)
			alias[n.Name] = out.Add(Placeholder(v.Name, v.Type, n.Attr["shape"].GetShape()))
			continue
		case "ReadVariableOp":
			source := firstInput(n)
			v, ok := alias[source.Node]
			if !ok {
				return nil, nil, fmt.Errorf("node %q reads the variable %q, which is not a plain variable of the model", n.Name, source.Node)
			}
			alias[n.Name] = v
			continue
		}
		for i, in := range Inputs(n) {
			v, ok := alias[in.Node]
			if !ok {
				continue
			}
			if resource := g.Node(in.Node); resource.Op == "VarHandleOp" {
				return nil, nil, fmt.Errorf("node %q (%s) uses the variable %q otherwise than by reading it, which is not understood", n.Name, n.Op, in.Node)
			}
			n.Input[i] = v.String()
		}
		out.Add(n)
	}
	return out, variables, nil
}

// Placeholder makes a placeholder node.
func Placeholder(name string, t typespb.DataType, shape *shapepb.TensorShapeProto) *nodepb.NodeDef {
	return NewNode("Placeholder", name, nil, map[string]*attrpb.AttrValue{
		"dtype": Type(t),
		"shape": {Value: &attrpb.AttrValue_Shape{Shape: shape}},
	})
}

// Shape makes a static shape; -1 is any size.
func Shape(dims ...int64) *shapepb.TensorShapeProto {
	s := &shapepb.TensorShapeProto{}
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}

func shapeOf(s *shapepb.TensorShapeProto) []int64 {
	dims := make([]int64, len(s.GetDim()))
	for i, d := range s.GetDim() {
		dims[i] = d.Size
	}
	return dims
}
