package graphdef

import (
	"fmt"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
)

// Ops holds the definitions of TensorFlow's operations. Inside function bodies a tensor is written "node:argument:index",
// and only the operation's definition tells which flat output that is.
type Ops map[string]*opdefpb.OpDef

// NewOps indexes a list of definitions.
func NewOps(list *opdefpb.OpList) Ops {
	ops := make(Ops, len(list.Op))
	for _, op := range list.Op {
		ops[op.Name] = op
	}
	return ops
}

// flatIndex is the flat output index of the index-th tensor of the output argument arg of node n.
func (o Ops) flatIndex(n *nodepb.NodeDef, arg string, index int) (int, error) {
	op := o[n.Op]
	if op == nil {
		return 0, fmt.Errorf("node %q has the operation %s, which this TensorFlow does not know", n.Name, n.Op)
	}
	start := 0
	for _, out := range op.OutputArg {
		if out.Name == arg {
			return start + index, nil
		}
		size, err := argSize(op, out, n)
		if err != nil {
			return 0, err
		}
		start += size
	}
	return 0, fmt.Errorf("node %q (%s) has no output argument %q", n.Name, n.Op, arg)
}

// argSize is how many tensors an argument stands for.
func argSize(op *opdefpb.OpDef, arg *opdefpb.OpDef_ArgDef, n *nodepb.NodeDef) (int, error) {
	switch {
	case arg.NumberAttr != "":
		v := attr(op, n, arg.NumberAttr)
		if v == nil {
			return 0, fmt.Errorf("node %q (%s) lacks the attribute %q", n.Name, n.Op, arg.NumberAttr)
		}
		return int(v.GetI()), nil
	case arg.TypeListAttr != "":
		v := attr(op, n, arg.TypeListAttr)
		if v == nil {
			return 0, fmt.Errorf("node %q (%s) lacks the attribute %q", n.Name, n.Op, arg.TypeListAttr)
		}
		return len(v.GetList().GetType()), nil
	default:
		return 1, nil
	}
}

func attr(op *opdefpb.OpDef, n *nodepb.NodeDef, name string) *attrpb.AttrValue {
	if v := n.Attr[name]; v != nil {
		return v
	}
	for _, a := range op.Attr {
		if a.Name == name {
			return a.DefaultValue
		}
	}
	return nil
}
