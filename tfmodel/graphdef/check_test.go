package graphdef

import (
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

func TestCheck(t *testing.T) {
	types := func(n int) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: make([]typespb.DataType, n)}}}
	}
	call := func(in, out int, f string) *graphpb.GraphDef {
		def := library(function("f(a b)", "out=a", ""))
		def.Node = nodes("Placeholder x\nPartitionedCall call x x")
		set(def.Node, "call", "f", calls(f, nil))
		set(def.Node, "call", "Tin", types(in))
		set(def.Node, "call", "Tout", types(out))
		return def
	}
	inFunction := call(2, 1, "f")
	liar := ints("liar", 1)
	liar.Attr["dtype"] = Type(typespb.DataType_DT_HALF)
	inFunction.Library.Function[0].NodeDef = append(inFunction.Library.Function[0].NodeDef, liar)
	ops := NewOps(&opdefpb.OpList{Op: []*opdefpb.OpDef{
		{Name: "Identity", InputArg: []*opdefpb.OpDef_ArgDef{{Name: "input"}}},
		{Name: "ConcatV2", InputArg: []*opdefpb.OpDef_ArgDef{{Name: "values", NumberAttr: "N"}, {Name: "axis"}}},
	}})
	list := func(text string) *graphpb.GraphDef {
		def := &graphpb.GraphDef{Node: nodes(text)}
		set(def.Node, "here", "N", Int(2))
		return def
	}
	for what, c := range map[string]struct {
		def  *graphpb.GraphDef
		says string
	}{
		"all is well":                {call(2, 1, "f"), ""},
		"nothing at all":             {nil, ""},
		"too few inputs":             {call(1, 1, "f"), "takes 2"},
		"too many outputs":           {call(2, 2, "f"), "returns 1"},
		"no such function":           {call(2, 1, "gone"), `"gone"`},
		"no input":                   {list("Identity here"), "takes 1"},
		"a control input only":       {list("NoOp a\nIdentity here ^a"), "takes 1"},
		"two inputs and an axis":     {list("NoOp a\nConcatV2 here a a a ^a"), ""},
		"two inputs and no axis":     {list("NoOp a\nConcatV2 here a a"), "takes 3"},
		"constant of the wrong type": {inFunction, `"liar"`},
	} {
		err := Check(c.def, ops)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want something that says %q", what, err, c.says)
		}
	}
}
