package graphdef

import (
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// testOps are operations with one output, with several, and with a list of them before another one.
var testOps = NewOps(&opdefpb.OpList{Op: []*opdefpb.OpDef{
	{Name: "Relu", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "activations"}}},
	{Name: "Add", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "z"}}},
	{Name: "Norm", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "y"}, {Name: "mean"}, {Name: "variance"}}},
	{
		Name:      "SplitAndCount",
		OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "parts", NumberAttr: "num"}, {Name: "count"}},
		Attr:      []*opdefpb.OpDef_AttrDef{{Name: "num", DefaultValue: Int(2)}},
	},
	{Name: "PartitionedCall", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "output", TypeListAttr: "Tout"}}},
	{Name: "StatefulPartitionedCall", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "output", TypeListAttr: "Tout"}}},
	{Name: "Many", OutputArg: []*opdefpb.OpDef_ArgDef{{Name: "list", TypeListAttr: "T"}, {Name: "last"}}},
}})

func library(functions ...*functionpb.FunctionDef) *graphpb.GraphDef {
	return &graphpb.GraphDef{Library: &functionpb.FunctionDefLibrary{Function: functions}}
}

// A model within a model, as Keras writes it: the nodes' folders are those of the calls, and the outputs of a call are
// counted over all output arguments of its function, even if one of these is called "output".
func TestInlineNestedCalls(t *testing.T) {
	def := library(
		function("outer(x w)", "first=inner/call:output:1 output=head/Add:z:0", `
			StatefulPartitionedCall inner/call x w
			Add head/Add inner/call:output:0 inner/call:output:1 ^inner/call`),
		function("block(x w)", "a=conv/Relu:activations:0 b=x", `
			Add conv/Add x w
			Relu conv/Relu conv/Add:z:0`),
	)
	set(def.Library.Function[0].NodeDef, "inner/call", "f", calls("block", nil))
	def.Node = nodes(`
		Placeholder input
		Placeholder weight
		NoOp unused
		PartitionedCall model/call input weight ^unused`)
	set(def.Node, "model/call", "f", calls("outer", nil))

	flat, outputs, err := Inline(def, []Ref{{"model/call", 1}, {"model/call", 0}, {"input", 0}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, flat, `
		Placeholder input
		Placeholder weight
		Add model/inner/conv/Add input weight
		Relu model/inner/conv/Relu model/inner/conv/Add
		Add model/head/Add model/inner/conv/Relu input`)
	for i, want := range []string{"model/head/Add", "input", "input"} {
		if outputs[i].String() != want {
			t.Errorf("output %d is %q, want %q", i, outputs[i], want)
		}
	}
}

// Inside a function "node:argument:index" counts from the argument, in the flat graph from the node's first output.
func TestInlineOutputsOfManyArguments(t *testing.T) {
	def := library(function("f(x)", "out=sum3:z:0", `
		Norm norm x
		SplitAndCount split x
		SplitAndCount split3 x
		Many many x
		Add sum norm:variance:0 norm:y:0
		Add sum1 split:parts:1 split:count:0
		Add sum2 split3:count:0 many:last:0
		Add sum12 sum:z:0 sum1:z:0
		Add sum3 sum12:z:0 sum2:z:0`))
	body := def.Library.Function[0].NodeDef
	set(body, "split3", "num", Int(3))
	types := &attrpb.AttrValue_ListValue{Type: make([]typespb.DataType, 4)}
	set(body, "many", "T", &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: types}})
	def.Node = nodes("Placeholder x\nPartitionedCall call x")
	set(def.Node, "call", "f", calls("f", nil))

	flat, _, err := Inline(def, []Ref{{Node: "call"}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, flat, `
		Placeholder x
		Norm norm x
		Add sum norm:2 norm
		SplitAndCount split x
		Add sum1 split:1 split:2
		Add sum12 sum sum1
		SplitAndCount split3 x
		Many many x
		Add sum2 split3:3 many:4
		Add sum3 sum12 sum2`)
}

// A call may also be written as a node whose operation is the function's name; its outputs then have the names of the
// function's.
func TestInlineCallByName(t *testing.T) {
	def := library(
		function("swap(a b)", "left=b right=a", ""),
		function("f(x y)", "out=s:right:0 other=s:left:0", "swap s x y"),
	)
	def.Node = nodes("Placeholder x\nPlaceholder y\nf call x y")
	_, outputs, err := Inline(def, []Ref{{"call", 0}, {"call", 1}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	if outputs[0].Node != "x" || outputs[1].Node != "y" {
		t.Errorf("got %v, want [x y]", outputs)
	}
}

func TestInlineSharedFunction(t *testing.T) {
	def := library(function("f(x)", "out=relu:activations:0", "Relu relu x"))
	set(def.Library.Function[0].NodeDef, "relu", "T", &attrpb.AttrValue{Value: &attrpb.AttrValue_Placeholder{Placeholder: "T"}})
	def.Node = nodes("Placeholder x\nPartitionedCall a x\nPartitionedCall b a")
	set(def.Node, "a", "f", calls("f", attrs{"T": Type(typespb.DataType_DT_FLOAT)}))
	set(def.Node, "b", "f", calls("f", attrs{"T": Type(typespb.DataType_DT_HALF)}))
	flat, outputs, err := Inline(def, []Ref{{Node: "b"}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, flat, `
		Placeholder x
		Relu relu x
		Relu relu__1 relu`)
	if outputs[0].Node != "relu__1" {
		t.Errorf("output %v, want relu__1", outputs[0])
	}
	for name, want := range map[string]typespb.DataType{"relu": typespb.DataType_DT_FLOAT, "relu__1": typespb.DataType_DT_HALF} {
		if got := flat.Node(name).Attr["T"].GetType(); got != want {
			t.Errorf("%s has type %v, want %v", name, got, want)
		}
	}
}

// Keras 2 hands swish through an IdentityN that carries a gradient written in Python.
func TestInlinePassesIdentityNThrough(t *testing.T) {
	def := &graphpb.GraphDef{Node: nodes(`
		Placeholder x
		Relu sigmoid x
		Add swish x sigmoid
		IdentityN keep swish x
		Relu next keep
		Relu other keep:1`)}
	flat, _, err := Inline(def, []Ref{{Node: "next"}, {Node: "other"}}, testOps)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, flat, `
		Placeholder x
		Relu sigmoid x
		Add swish x sigmoid
		Relu next swish
		Relu other x`)
}

func TestInlineRefuses(t *testing.T) {
	call := func(f string, functions ...*functionpb.FunctionDef) *graphpb.GraphDef {
		def := library(functions...)
		def.Node = nodes("Placeholder x\nPartitionedCall out x")
		set(def.Node, "out", "f", calls(f, nil))
		return def
	}
	endless := function("endless(x)", "out=again:output:0", "PartitionedCall again x")
	set(endless.NodeDef, "again", "f", calls("endless", nil))
	for what, c := range map[string]struct {
		def  *graphpb.GraphDef
		says []string
	}{
		"missing node":         {&graphpb.GraphDef{Node: nodes("Relu out gone")}, []string{`"gone"`, "does not exist"}},
		"loop":                 {&graphpb.GraphDef{Node: nodes("Add out next out\nRelu next out")}, []string{"depends on itself"}},
		"endless recursion":    {call("endless", endless), []string{`"endless"`, "deep"}},
		"too many inputs":      {call("none", function("none()", "out=x", "")), []string{`"none"`, "1 inputs", "takes 0"}},
		"missing function":     {call("gone"), []string{`"out"`, `"gone"`, "export"}},
		"missing return":       {call("f", function("f(x)", "out=gone:y:0", "")), []string{`function "f"`, `"gone"`}},
		"malformed tensor":     {call("f", function("f(x)", "out=r:y:one", "Relu r x")), []string{`"r:y:one"`}},
		"unknown operation":    {call("f", function("f(x)", "out=r:y:0", "Frob r x")), []string{"Frob", "does not know"}},
		"unknown argument":     {call("f", function("f(x)", "out=r:y:0", "Relu r x")), []string{`"r"`, `"y"`}},
		"negative output":      {call("f", function("f(x)", "out=r:activations:-1", "Relu r x")), []string{`"r"`, "-1"}},
		"output out of range":  {&graphpb.GraphDef{Node: nodes("Placeholder x\nIdentityN i x\nRelu out i:7")}, []string{`"i"`, "1 outputs", "output 7"}},
		"output below zero":    {&graphpb.GraphDef{Node: nodes("Placeholder x\nIdentityN i x\nRelu out i:-1")}, []string{`"i"`, "output -1"}},
		"attribute is missing": {call("f", function("f(x)", "out=m:last:0", "Many m x")), []string{`"m"`, `"T"`}},
	} {
		_, _, err := Inline(c.def, []Ref{{Node: "out"}}, testOps)
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", what, err, s)
			}
		}
	}
}
