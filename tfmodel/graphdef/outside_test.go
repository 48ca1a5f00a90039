package graphdef

import (
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
)

func TestWhatIsOutside(t *testing.T) {
	for op, want := range map[string]bool{
		"ReadFile": true, "WriteFile": true, "MatchingFiles": true, "SaveV2": true, "RestoreV2": true, "PyFunc": true, "EagerPyFunc": true, "PyFuncStateless": true,
		"TFRecordDataset": true, "IteratorGetNext": true, "TextLineReaderV2": true, "ReaderReadV2": true, "WholeFileReaderV2": true, "LMDBReader": true,
		"CreateSummaryFileWriter": true, "WriteScalarSummary": true, "ImportEvent": true, "DebugIdentityV2": true, "DebugNumericSummary": true,
		"_Send": true, "_HostRecv": true, "CollectiveReduceV2": true, "RemoteCall": true, "QueueDequeueV2": true, "FIFOQueueV2": true, "Unstage": true,
		"OrderedMapUnstage": true, "BarrierTakeMany": true, "MutexLock": true, "InitializeTableFromTextFileV2": true, "DecodeProtoV2": true, "FixedUnigramCandidateSampler": true,

		"Conv2D": false, "ReadVariableOp": false, "VarHandleOp": false, "Identity": false, "RandomUniform": false, "Placeholder": false, "ResourceGather": false,
		"LookupTableFindV2": false, "HashTableV2": false, "TensorArrayReadV3": false, "DecodeJpeg": false, "Print": false, "Assert": false, "CheckNumerics": false,
		"ShardedFilename": false, "StatefulPartitionedCall": false, "Reverse": false, "StopGradient": false, "MapDefun": false, "ScalarSummary": false, "Case": false,
	} {
		if does := doesOutside(op); (does != "") != want {
			t.Errorf("%s does %q", op, does)
		}
	}
}

func TestOutsideBetween(t *testing.T) {
	g := NewGraph()
	for _, n := range []*nodepb.NodeDef{
		{Name: "names", Op: "ReadFile"}, {Name: "image", Op: "Cast", Input: []string{"names"}}, // a run starts at the image
		{Name: "sum", Op: "Sum", Input: []string{"image"}}, {Name: "other", Op: "WriteFile", Input: []string{"sum"}},
		{Name: "dump", Op: "PyFunc", Input: []string{"sum"}}, {Name: "out", Op: "Identity", Input: []string{"dump"}},
	} {
		g.Add(n)
	}
	image := Ref{Node: "image"}
	if n, _ := Outside(g, image, Ref{Node: "sum"}); n != nil {
		t.Errorf("%s is not on the way", n.Name)
	}
	if n, does := Outside(g, image, Ref{Node: "out"}); n == nil || n.Name != "dump" || does != "runs Python" {
		t.Errorf("got %v, which %s", n, does)
	}
}

func TestOutsideAtLoad(t *testing.T) {
	call := func(name, function string) *nodepb.NodeDef {
		return &nodepb.NodeDef{Name: name, Op: "StatefulPartitionedCall", Attr: map[string]*attrpb.AttrValue{
			"f": {Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: function}}}}}
	}
	function := func(name string, nodes ...*nodepb.NodeDef) *functionpb.FunctionDef {
		return &functionpb.FunctionDef{Signature: &opdefpb.OpDef{Name: name}, NodeDef: nodes}
	}
	def := &graphpb.GraphDef{
		Node: []*nodepb.NodeDef{
			{Name: "restore", Op: "RestoreV2"}, {Name: "save", Op: "SaveV2"}, {Name: "waits", Op: "NoOp", Input: []string{"^save"}},
			call("restores", "good"), call("writes", "bad"), call("calls itself", "loop"),
		},
		Library: &functionpb.FunctionDefLibrary{Function: []*functionpb.FunctionDef{
			function("good", &nodepb.NodeDef{Name: "r", Op: "RestoreV2"}),
			function("bad", call("again", "worse")), function("worse", &nodepb.NodeDef{Name: "w", Op: "WriteFile"}),
			function("loop", call("again", "loop")),
		}},
	}
	for name, want := range map[string]string{"restore": "", "restores": "", "calls itself": "", "gone": "", "waits": "save", "writes": "w"} {
		n, _ := OutsideAtLoad(def, []string{name})
		if n.GetName() != want {
			t.Errorf("%s: got %q, want %q", name, n.GetName(), want)
		}
	}
}
