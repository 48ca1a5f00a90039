package graphdef

import (
	"maps"
	"testing"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
)

func TestValueNodes(t *testing.T) {
	for what, c := range map[string]struct {
		nodes, restore string
		want           map[string]string
	}{
		"TensorFlow 2": {`
			VarHandleOp kernel
			ReadVariableOp kernel/Read kernel
			Placeholder file
			StatefulPartitionedCall restore file kernel`,
			"restore", map[string]string{"kernel": "kernel/Read"},
		},
		"TensorFlow 1": {`
			VariableV2 kernel
			Identity kernel/read kernel
			RestoreV2 save/RestoreV2
			Assign save/Assign kernel save/RestoreV2
			NoOp save/restore_shard ^save/Assign
			NoOp save/restore_all ^save/restore_shard`,
			"save/restore_all", map[string]string{"kernel": "kernel"},
		},
		"the checkpoint has the outer variable": {`
			VarHandleOp kernel
			ReadVariableOp kernel/Read kernel
			ReadVariableOp outer/Initializer kernel
			VarHandleOp outer
			AssignVariableOp outer/Assign outer outer/Initializer
			ReadVariableOp outer/Read outer
			StatefulPartitionedCall restore outer`,
			"restore", map[string]string{"kernel": "outer/Read", "outer": "outer/Read"},
		},
		"the checkpoint has both": {`
			VarHandleOp kernel
			ReadVariableOp outer/Initializer kernel
			VarHandleOp outer
			AssignVariableOp outer/Assign outer outer/Initializer
			ReadVariableOp outer/Read outer
			StatefulPartitionedCall restore outer kernel`,
			"restore", map[string]string{"kernel": "outer/Initializer", "outer": "outer/Read"},
		},
	} {
		got := ValueNodes(&graphpb.GraphDef{Node: nodes(c.nodes)}, c.restore)
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", what, got, c.want)
		}
	}
}
