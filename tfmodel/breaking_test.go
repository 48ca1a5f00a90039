package tfmodel_test

import (
	"os"
	"path/filepath"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// What TestBroken breaks models with.

// copyModel copies a test model into a folder of the test's own.
func copyModel(t *testing.T, name string) string {
	dir := filepath.Join(t.TempDir(), "1")
	must(t, os.CopyFS(dir, os.DirFS(zoo.Folder(t, name))))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path ...string) { must(t, os.RemoveAll(filepath.Join(path...))) }

func makeDir(t *testing.T, path ...string) { must(t, os.MkdirAll(filepath.Join(path...), 0o755)) }

func rename(t *testing.T, dir, from, to string) {
	must(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
}

func write(t *testing.T, content string, path ...string) {
	must(t, os.WriteFile(filepath.Join(path...), []byte(content), 0o644))
}

// truncate keeps the first half of a file, as an interrupted copy would.
func truncate(t *testing.T, path ...string) {
	file := filepath.Join(path...)
	info, err := os.Stat(file)
	must(t, err)
	must(t, os.Truncate(file, info.Size()/2))
}

func flip(t *testing.T, at int, path ...string) {
	file := filepath.Join(path...)
	data, err := os.ReadFile(file)
	must(t, err)
	data[at] ^= 4
	must(t, os.WriteFile(file, data, 0o644))
}

// sidecar puts an explaind.yaml beside the model.
func sidecar(content string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { write(t, content, dir, tfmodel.SidecarName) }
}

func editModel(change func(*corepb.SavedModel)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		file := filepath.Join(dir, "saved_model.pb")
		data, err := os.ReadFile(file)
		must(t, err)
		model := new(corepb.SavedModel)
		must(t, proto.Unmarshal(data, model))
		change(model)
		data, err = proto.Marshal(model)
		must(t, err)
		must(t, os.WriteFile(file, data, 0o644))
	}
}

func edit(change func(*corepb.MetaGraphDef)) func(t *testing.T, dir string) {
	return editModel(func(m *corepb.SavedModel) { change(m.MetaGraphs[0]) })
}

func input(m *corepb.MetaGraphDef) *corepb.TensorInfo {
	return m.SignatureDef["classify"].Inputs["picture"]
}

// inputShape changes what the signature and the graph say about the input.
func inputShape(m *corepb.MetaGraphDef, dims ...int64) {
	input(m).TensorShape = shape(dims...)
	top(m, "classify_picture").Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shape(dims...)}}
}

func output(m *corepb.MetaGraphDef) *corepb.TensorInfo {
	return m.SignatureDef["classify"].Outputs["classification"]
}

func named(tensor string) *corepb.TensorInfo_Name { return &corepb.TensorInfo_Name{Name: tensor} }

func scalar(tensor string) *corepb.TensorInfo {
	return &corepb.TensorInfo{Encoding: named(tensor), Dtype: typespb.DataType_DT_FLOAT, TensorShape: shape()}
}

// top is a node outside of functions.
func top(m *corepb.MetaGraphDef, name string) *nodepb.NodeDef {
	for _, n := range m.GraphDef.Node {
		if n.Name == name {
			return n
		}
	}
	panic("the model has no node " + name)
}

// inBody is a node of the function that holds the network, which is called through others.
func inBody(m *corepb.MetaGraphDef, name string) *nodepb.NodeDef {
	for _, n := range body(m).NodeDef {
		if n.Name == name {
			return n
		}
	}
	panic("the network has no node " + name)
}

func body(m *corepb.MetaGraphDef) *functionpb.FunctionDef {
	for _, f := range m.GraphDef.Library.Function {
		for _, n := range f.NodeDef {
			if n.Op == "Conv2D" {
				return f
			}
		}
	}
	panic("no function holds a convolution")
}

// returns makes the network return another of its tensors.
func returns(m *corepb.MetaGraphDef, tensor string) {
	f := body(m)
	for out := range f.Ret {
		f.Ret[out] = tensor
	}
}

func dim(n *nodepb.NodeDef, i int, size int64) { n.Attr["shape"].GetShape().Dim[i].Size = size }

func shape(dims ...int64) *shapepb.TensorShapeProto {
	s := new(shapepb.TensorShapeProto)
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}

func text(s string) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(s)}}
}

func types(values ...typespb.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: values}}}
}

func list(values ...int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{I: values}}}
}
