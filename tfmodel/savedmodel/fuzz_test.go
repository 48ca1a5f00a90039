package savedmodel

import (
	"os"
	"path/filepath"
	"testing"

	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
)

// FuzzRead reads any bytes as saved_model.pb: a graph with a signature comes out, or an error that a person can act on.
func FuzzRead(f *testing.F) {
	signature := &corepb.SignatureDef{Outputs: map[string]*corepb.TensorInfo{"y": {Encoding: &corepb.TensorInfo_Name{Name: "out:0"}}}}
	graph := func(tags ...string) *corepb.MetaGraphDef {
		return &corepb.MetaGraphDef{
			MetaInfoDef:  &corepb.MetaGraphDef_MetaInfoDef{Tags: tags},
			SignatureDef: map[string]*corepb.SignatureDef{"serving_default": signature, "other": signature, "none": nil},
		}
	}
	for _, model := range []*corepb.SavedModel{
		{},
		{MetaGraphs: []*corepb.MetaGraphDef{graph(), graph("train"), graph("serve", "tpu"), graph("serve")}},
		{MetaGraphs: []*corepb.MetaGraphDef{graph("serve")}},
	} {
		data, err := proto.Marshal(model)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "")
		f.Add(data, "other")
		f.Add(data[:len(data)/2], "none")
	}
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		meta, _, err := Read(dir)
		if err == nil {
			var signature *corepb.SignatureDef
			if name, signature, err = Signature(meta, name); err == nil {
				if len(signature.GetOutputs()) == 0 {
					t.Fatalf("the signature %q has no outputs", name)
				}
				return
			}
		}
		if e := explaind.AsError(err); e.Code != explaind.FailedPrecondition || e.Reason == "" {
			t.Fatalf("the error is %v", err)
		}
	})
}
