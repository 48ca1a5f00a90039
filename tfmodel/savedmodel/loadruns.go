package savedmodel

import (
	"strings"

	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

// initOp is the key, of a signature and of its only output, that names what TensorFlow 2 runs after restoring.
const initOp = "__saved_model_init_op"

// LoadRuns are the nodes that TensorFlow, or this program, runs while it loads a SavedModel: restoring and initialising, and
// every node that reads a variable.
func LoadRuns(meta *corepb.MetaGraphDef) []string {
	nodes := []string{node(meta.GetSaverDef().GetRestoreOpName())}
	for _, out := range meta.GetSignatureDef()[initOp].GetOutputs() {
		nodes = append(nodes, node(out.GetName()))
	}
	for _, key := range []string{"saved_model_main_op", "legacy_init_op"} { // TensorFlow 1
		for _, name := range meta.GetCollectionDef()[key].GetNodeList().GetValue() {
			nodes = append(nodes, node(name))
		}
	}
	for _, n := range meta.GetGraphDef().GetNode() {
		switch n.Op {
		case "ReadVariableOp", "VariableV2", "Variable":
			nodes = append(nodes, n.Name)
		}
	}
	return nodes
}

// node is the node of a tensor or an operation: "save/restore_all", "init:0".
func node(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "^"), ":")
	return name
}
