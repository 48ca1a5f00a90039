package graphdef

import (
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

func truth(value bool) *attrpb.AttrValue {
	t := &tensorpb.TensorProto{Dtype: typespb.DataType_DT_BOOL, TensorShape: Shape(), BoolVal: []bool{value}}
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: t}}
}

// tf.cond(is_training, lambda: x·noise, lambda: 3) as TensorFlow 1 writes it: the constant of the second branch is bound
// to it by a control input alone.
const condition = `
	Placeholder x
	Const off
	PlaceholderWithDefault is_training off
	Switch cond/Switch is_training is_training
	Identity cond/switch_t cond/Switch:1
	Identity cond/switch_f cond/Switch
	Identity cond/pred_id is_training
	Switch cond/x/Switch x cond/pred_id
	Const cond/noise ^cond/switch_t
	Mul cond/dropout cond/x/Switch:1 cond/noise
	Const cond/three ^cond/switch_f
	Merge cond/Merge cond/three cond/dropout
	Relu out cond/Merge`

func TestFoldConditions(t *testing.T) {
	for value, want := range map[bool]string{
		false: `
			Const cond/three
			Identity cond/Merge cond/three
			Relu out cond/Merge`,
		true: `
			Placeholder x
			Identity cond/x/Switch x
			Const cond/noise
			Mul cond/dropout cond/x/Switch cond/noise
			Identity cond/Merge cond/dropout
			Relu out cond/Merge`,
	} {
		list := nodes(condition)
		set(list, "off", "value", truth(value))
		flat, _, err := Inline(FoldConditions(&graphpb.GraphDef{Node: list}), []Ref{{Node: "out"}}, testOps)
		if err != nil {
			t.Fatal(err)
		}
		wantLines(t, flat, want)
	}
}

// Without a default nobody knows, and Rewrite says so.
func TestFoldConditionsLeavesTheUnknown(t *testing.T) {
	list := nodes(condition)
	list[2] = node("Placeholder is_training")
	flat, _, err := Inline(FoldConditions(&graphpb.GraphDef{Node: list}), []Ref{{Node: "out"}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Rewrite(flat); err == nil || flat.Node("cond/Merge").Op != "Merge" {
		t.Errorf("a condition on a placeholder was decided")
	}
}

func TestInlineDecidesIf(t *testing.T) {
	for value, want := range map[bool]string{true: "x", false: "y"} {
		def := library(function("first(a b)", "out=a", ""), function("second(a b)", "out=b", ""))
		def.Node = nodes(`
			Placeholder x
			Placeholder y
			Const flag
			LogicalNot not flag
			StatelessIf if not x y`)
		set(def.Node, "flag", "value", truth(!value))
		set(def.Node, "if", "then_branch", calls("first", nil))
		set(def.Node, "if", "else_branch", calls("second", nil))
		_, outputs, err := Inline(def, []Ref{{Node: "if"}}, testOps)
		if err != nil || outputs[0].Node != want {
			t.Errorf("%v: %v, %v; want %s", value, outputs, err, want)
		}
	}
}
