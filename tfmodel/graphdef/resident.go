package graphdef

import (
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
)

// InitNode is the node whose run assigns all resident weights.
const InitNode = prefix + "init"

// Feed is the placeholder from which a resident weight gets its value.
func (v Variable) Feed() Ref { return Ref{Node: v.Name + "/feed"} }

func (v Variable) handle() string { return v.Name + "/handle" }

// AddResident adds a weight as a variable; the node that reads it has the weight's own name.
func AddResident(g *Graph, v Variable) {
	shape := &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: Shape(v.Shape...)}}
	handle := g.Add(NewNode("VarHandleOp", v.handle(), nil, attrs{"dtype": Type(v.Type), "shape": shape, "shared_name": text(v.Name)}))
	g.Add(NewNode("ReadVariableOp", v.Name, []Ref{handle}, attrs{"dtype": Type(v.Type)}))
}

// AddInit adds what assigns the resident weights.
func AddInit(g *Graph, variables []Variable, resident []int) {
	if len(resident) == 0 {
		return
	}
	done := NewNode("Const", InitNode, nil, Constant("", typespb.DataType_DT_INT32, nil, []byte{0, 0, 0, 0}).Attr)
	for _, i := range resident {
		v := variables[i]
		feed := g.Add(Placeholder(v.Feed().Node, v.Type, Shape(v.Shape...)))
		assign := NewNode("AssignVariableOp", v.Name+"/assign", []Ref{{Node: v.handle()}, feed}, attrs{"dtype": Type(v.Type)})
		g.Add(assign)
		done.Input = append(done.Input, "^"+assign.Name)
	}
	g.Add(done)
}

func text(s string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(s)}}
}

// FeedsConvolution tells whether one of the nodes is a convolution.
func FeedsConvolution(nodes []*nodepb.NodeDef) bool {
	for _, n := range nodes {
		switch n.Op {
		case "Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Identity":
			return true
		}
	}
	return false
}
