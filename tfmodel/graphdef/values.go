package graphdef

import (
	"maps"
	"strings"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// ValueNodes maps every variable to a node outside of functions that yields its value after the node restore has run.
//
// Keras 3's layers hold a variable within a variable. tf.saved_model.save writes the outer one into the checkpoint and
// lets the graph read the inner one, which nothing restores; the outer one starts as a copy of it, and so tells which
// of them belong together.
func ValueNodes(def *graphpb.GraphDef, restore string) map[string]string {
	readers, readFrom := map[string]string{}, map[string]string{} // variable → node that reads it, and back
	for _, n := range def.GetNode() {
		switch n.Op {
		case "ReadVariableOp":
			variable := firstInput(n).Node
			readers[variable], readFrom[n.Name] = n.Name, variable
		case "VariableV2", "Variable":
			readers[n.Name] = n.Name
		}
	}
	restored := withControl(def, restore)
	values := maps.Clone(readers)
	for _, n := range def.GetNode() {
		if n.Op != "AssignVariableOp" || len(Inputs(n)) != 2 {
			continue
		}
		outer, inner := Inputs(n)[0].Node, readFrom[Inputs(n)[1].Node]
		if restored[outer] && !restored[inner] && readers[outer] != "" {
			values[inner] = readers[outer]
		}
	}
	return values
}

// withControl is the set of nodes that have to run for a node, control inputs included.
func withControl(def *graphpb.GraphDef, name string) map[string]bool {
	byName := make(map[string]*nodepb.NodeDef, len(def.GetNode()))
	for _, n := range def.GetNode() {
		byName[n.Name] = n
	}
	seen, stack := map[string]bool{}, []string{name}
	for len(stack) > 0 {
		n := byName[stack[len(stack)-1]]
		stack = stack[:len(stack)-1]
		if n == nil || seen[n.Name] {
			continue
		}
		seen[n.Name] = true
		for _, in := range n.Input {
			stack = append(stack, ParseRef(strings.TrimPrefix(in, "^")).Node)
		}
	}
	return seen
}
