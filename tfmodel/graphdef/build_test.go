package graphdef

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// node reads "Op name input input …".
func node(text string) *nodepb.NodeDef {
	words := strings.Fields(text)
	return &nodepb.NodeDef{Op: words[0], Name: words[1], Input: words[2:], Attr: attrs{}}
}

// nodes reads one node a line.
func nodes(text string) []*nodepb.NodeDef {
	var list []*nodepb.NodeDef
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			list = append(list, node(line))
		}
	}
	return list
}

func graph(text string) *Graph { return FromNodes(nodes(text)) }

// set gives an attribute to a node of a list.
func set(list []*nodepb.NodeDef, name, key string, value *attrpb.AttrValue) {
	i := slices.IndexFunc(list, func(n *nodepb.NodeDef) bool { return n.Name == name })
	list[i].Attr[key] = value
}

// function reads "name(argument, …) (output=tensor, …)" and a body.
func function(head, returns, body string) *functionpb.FunctionDef {
	name, args, _ := strings.Cut(strings.TrimSuffix(head, ")"), "(")
	f := &functionpb.FunctionDef{Signature: &opdefpb.OpDef{Name: name}, NodeDef: nodes(body), Ret: map[string]string{}}
	for arg := range strings.FieldsSeq(args) {
		f.Signature.InputArg = append(f.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: arg})
	}
	for ret := range strings.FieldsSeq(returns) {
		out, tensor, _ := strings.Cut(ret, "=")
		f.Signature.OutputArg = append(f.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: out})
		f.Ret[out] = tensor
	}
	return f
}

// calls makes the attribute of a node that calls a function.
func calls(name string, given attrs) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: name, Attr: given}}}
}

// lines writes a graph as node reads it.
func lines(g *Graph) []string {
	var list []string
	for _, n := range g.Nodes {
		list = append(list, strings.Join(append([]string{n.Op, n.Name}, n.Input...), " "))
	}
	return list
}

func wantLines(t *testing.T, g *Graph, want string) {
	t.Helper()
	var list []string
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	if got := lines(g); !slices.Equal(got, list) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(list, "\n  "))
	}
}

// ints makes a Const of int32.
func ints(name string, values ...int32) *nodepb.NodeDef {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return Constant(name, typespb.DataType_DT_INT32, []int64{int64(len(values))}, data)
}

// shapesOf makes a Shapes that knows the first outputs of some nodes.
func shapesOf(known map[string][]int64) Shapes {
	return func(r Ref) ([]int64, bool) {
		shape, ok := known[r.Node]
		return shape, ok && r.Index == 0
	}
}
