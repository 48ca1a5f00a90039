package savedmodel

import (
	"slices"
	"testing"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

func TestLoadRuns(t *testing.T) {
	meta := &corepb.MetaGraphDef{
		SaverDef: &corepb.SaverDef{RestoreOpName: "restore:0"},
		SignatureDef: map[string]*corepb.SignatureDef{
			"serving_default": {Outputs: map[string]*corepb.TensorInfo{"y": {Encoding: &corepb.TensorInfo_Name{Name: "y:0"}}}},
			initOp:            {Outputs: map[string]*corepb.TensorInfo{initOp: {Encoding: &corepb.TensorInfo_Name{Name: "init"}}}},
		},
		CollectionDef: map[string]*corepb.CollectionDef{
			"legacy_init_op": {Kind: &corepb.CollectionDef_NodeList_{NodeList: &corepb.CollectionDef_NodeList{Value: []string{"tables"}}}},
			"losses":         {Kind: &corepb.CollectionDef_NodeList_{NodeList: &corepb.CollectionDef_NodeList{Value: []string{"loss"}}}},
		},
		GraphDef: &graphpb.GraphDef{Node: []*nodepb.NodeDef{{Name: "read", Op: "ReadVariableOp"}, {Name: "relu", Op: "Relu"}, {Name: "old", Op: "VariableV2"}}},
	}
	if got, want := LoadRuns(meta), []string{"restore", "init", "tables", "read", "old"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := LoadRuns(nil); len(got) != 1 || got[0] != "" {
		t.Errorf("of nothing: %v", got)
	}
}
