package graphdef

import (
	"fmt"
	"strings"
	"testing"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// An endless chain of nodes must not end the process, as Go does when a goroutine's stack grows too large.
func TestInlineRefusesEndlessChains(t *testing.T) {
	list := []*nodepb.NodeDef{node("Placeholder n0")}
	for i := 1; i < 200_000; i++ {
		list = append(list, &nodepb.NodeDef{Op: "Relu", Name: fmt.Sprintf("n%d", i), Input: []string{fmt.Sprintf("n%d", i-1)}})
	}
	_, _, err := Inline(&graphpb.GraphDef{Node: list}, []Ref{{Node: list[len(list)-1].Name}}, testOps)
	if err == nil || !strings.Contains(err.Error(), "one after another") {
		t.Errorf("got %v", err)
	}
}

// Functions that call each other twice grow without bound: 2^60 nodes out of 60 functions.
func TestInlineRefusesExponentialCalls(t *testing.T) {
	functions := []*functionpb.FunctionDef{function("f0(a)", "z=r:activations:0", "Relu r a")}
	for i := 1; i <= 60; i++ {
		f := function(fmt.Sprintf("f%d(a)", i), "z=two:output:0", "PartitionedCall one a\nPartitionedCall two one:output:0")
		for _, name := range []string{"one", "two"} {
			set(f.NodeDef, name, "f", calls(fmt.Sprintf("f%d", i-1), nil))
		}
		functions = append(functions, f)
	}
	def := library(functions...)
	def.Node = nodes("Placeholder x\nPartitionedCall call x")
	set(def.Node, "call", "f", calls("f60", nil))
	_, _, err := Inline(def, []Ref{{Node: "call"}}, testOps)
	if err == nil || !strings.Contains(err.Error(), "nodes") {
		t.Errorf("got %v", err)
	}
}
