package graphdef

import (
	"slices"
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// variable gives a node of a list the attributes of a variable.
func variable(list []*nodepb.NodeDef, name string, t typespb.DataType, dims ...int64) {
	set(list, name, "dtype", Type(t))
	set(list, name, "shape", &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: Shape(dims...)}})
}

// Variables of TensorFlow 2 are read by a node, those of TensorFlow 1 are read where they are.
func TestFreeze(t *testing.T) {
	list := nodes(`
		Placeholder x
		VarHandleOp kernel
		ReadVariableOp read kernel
		ReadVariableOp again kernel
		Conv2D conv x read
		Conv2D conv2 conv again
		VariableV2 bias
		Identity bias/read bias
		BiasAdd out conv2 bias/read`)
	variable(list, "kernel", typespb.DataType_DT_FLOAT, 3, 3, 1, 8)
	variable(list, "bias", typespb.DataType_DT_HALF, 8)
	flat, variables, err := Freeze(FromNodes(list))
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, flat, `
		Placeholder x
		Placeholder kernel
		Conv2D conv x kernel
		Conv2D conv2 conv kernel
		Placeholder bias
		Identity bias/read bias
		BiasAdd out conv2 bias/read`)
	want := []Variable{
		{"kernel", "kernel", typespb.DataType_DT_FLOAT, []int64{3, 3, 1, 8}},
		{"bias", "bias", typespb.DataType_DT_HALF, []int64{8}},
	}
	if !slices.EqualFunc(variables, want, func(a, b Variable) bool {
		return a.Name == b.Name && a.Owner == b.Owner && a.Type == b.Type && slices.Equal(a.Shape, b.Shape)
	}) {
		t.Errorf("got %v, want %v", variables, want)
	}
	if got := flat.Node("kernel").Attr["shape"].GetShape(); !slices.Equal(shapeOf(got), want[0].Shape) {
		t.Errorf("the placeholder of the kernel has shape %v", got)
	}
}

func TestFreezeRefuses(t *testing.T) {
	for what, c := range map[string]struct{ text, says string }{
		"a variable that is written": {"Placeholder x\nVarHandleOp v\nAssignVariableOp a v x", `"a" (AssignVariableOp)`},
		"an embedding's gather":      {"Placeholder x\nVarHandleOp v\nResourceGather g v x", `"g" (ResourceGather)`},
		"a read of no variable":      {"Placeholder x\nReadVariableOp r x", `"r" reads the variable "x"`},
		"a read of nothing":          {"ReadVariableOp r", `"r" reads the variable ""`},
	} {
		_, _, err := Freeze(graph(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something that says %q", what, err, c.says)
		}
	}
}
