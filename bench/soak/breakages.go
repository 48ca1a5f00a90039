package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// breakage is a way in which the folder of a version can be broken, and the reason that the server must give for it.
type breakage struct {
	what    string
	breakIt func(dir string) error // a copy of a good SavedModel
	reason  string
}

const (
	graphFile = "saved_model.pb"
	indexFile = "variables/variables.index"
	dataFile  = "variables/variables.data-00000-of-00001"
)

// breakages are in groups: files that are not there, files with other content, links and rights, and graphs that make no sense.
var breakages = []breakage{
	{"no variables folder", removing("variables"), "VARIABLES_MISSING"},
	{"no index of the variables", removing(indexFile), "VARIABLES_MISSING"},
	{"no data of the variables", removing(dataFile), "VARIABLES_MISSING"},
	{"variables alone, half copied for ever", removing(graphFile), "NO_SAVED_MODEL"},
	{"empty folder", inOrder(removing("variables"), removing("assets"), removing("fingerprint.pb"), removing(graphFile)), "NO_SAVED_MODEL"},
	{"graph as text", func(dir string) error {
		return os.Rename(filepath.Join(dir, graphFile), filepath.Join(dir, "saved_model.pbtxt"))
	}, "NO_SAVED_MODEL"},

	{"empty graph", holding(graphFile, ""), "CORRUPT"},
	{"graph of text", holding(graphFile, strings.Repeat("not a graph\n", 100)), "CORRUPT"},
	{"graph of zeros", holding(graphFile, strings.Repeat("\x00", 10_000)), "CORRUPT"},
	{"half a graph", halving(graphFile), "CORRUPT"},
	{"empty index", holding(indexFile, ""), "VARIABLES_MISSING"},
	{"index of text", holding(indexFile, strings.Repeat("not an index\n", 100)), "VARIABLES_UNREADABLE"},
	{"half an index", halving(indexFile), "VARIABLES_UNREADABLE"},
	{"empty data", holding(dataFile, ""), "VARIABLES_UNREADABLE"},
	{"half the data", halving(dataFile), "VARIABLES_UNREADABLE"},
	{"a flipped bit in the data", flipping(dataFile), "VARIABLES_UNREADABLE"},
	{"description that is no YAML", holding("explaind.yaml", "input: {"), "BAD_SIDECAR"},
	{"description with an unknown key", holding("explaind.yaml", "inptu: {mode: tf}\n"), "BAD_SIDECAR"},

	{"folder instead of the graph", inOrder(removing(graphFile), func(dir string) error { return os.Mkdir(filepath.Join(dir, graphFile), 0o755) }), "UNREADABLE"},
	{"graph is a link to itself", inOrder(removing(graphFile), linking(graphFile, graphFile)), "NO_SAVED_MODEL"},
	{"graph is a dangling link", inOrder(removing(graphFile), linking("/nowhere/saved_model.pb", graphFile)), "NO_SAVED_MODEL"},
	{"variables are a dangling link", inOrder(removing("variables"), linking("/nowhere/variables", "variables")), "UNREADABLE"},
	{"graph that must not be read", func(dir string) error { return os.Chmod(filepath.Join(dir, graphFile), 0) }, "UNREADABLE"},
	{"data that must not be read", func(dir string) error { return os.Chmod(filepath.Join(dir, dataFile), 0) }, "UNREADABLE"},
	{"graph of 3 GiB, most of it a hole", func(dir string) error { return os.Truncate(filepath.Join(dir, graphFile), 3<<30) }, "CORRUPT"},

	{"no graph in the file", editing(func(m *corepb.SavedModel) { m.MetaGraphs = nil }), "CORRUPT"},
	{"two graphs, none for serving", editing(func(m *corepb.SavedModel) {
		m.MetaGraphs[0].MetaInfoDef.Tags = []string{"train"}
		m.MetaGraphs = append(m.MetaGraphs, &corepb.MetaGraphDef{MetaInfoDef: &corepb.MetaGraphDef_MetaInfoDef{Tags: []string{"eval"}}})
	}), "WRONG_TAG"},
	{"no signature", inGraph(func(g *corepb.MetaGraphDef) { g.SignatureDef = nil }), "NO_SIGNATURE"},
	{"signature of strings", inGraph(func(g *corepb.MetaGraphDef) {
		only(g.SignatureDef["serving_default"].Inputs).Dtype = typespb.DataType_DT_STRING
	}), "INPUTS_NOT_UNDERSTOOD"},
	{"signature of numbers without a shape", inGraph(func(g *corepb.MetaGraphDef) {
		only(g.SignatureDef["serving_default"].Inputs).TensorShape = &shapepb.TensorShapeProto{UnknownRank: true}
	}), "INPUTS_NOT_UNDERSTOOD"},
	{"output of integers", inGraph(func(g *corepb.MetaGraphDef) {
		only(g.SignatureDef["serving_default"].Outputs).Dtype = typespb.DataType_DT_INT64
	}), "OUTPUTS_NOT_UNDERSTOOD"},
	{"output that is not there", inGraph(func(g *corepb.MetaGraphDef) {
		only(g.SignatureDef["serving_default"].Outputs).Encoding = &corepb.TensorInfo_Name{Name: "Gone:0"}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"other shapes than in the checkpoint", inGraph(func(g *corepb.MetaGraphDef) { reshape(g, 7) }), "MODEL_NOT_UNDERSTOOD"},
	{"negative shape of a variable", inGraph(func(g *corepb.MetaGraphDef) { reshape(g, -5) }), "MODEL_NOT_UNDERSTOOD"},
	{"wrong type of a variable", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "VarHandleOp") {
			n.Attr["dtype"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_INT32}}
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"unknown operation", inGraph(func(g *corepb.MetaGraphDef) { nodesOf(g, "Conv2D")[0].Op = "Frobnicate" }), "MODEL_NOT_UNDERSTOOD"},
	{"convolution without a kernel", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "Conv2D") {
			n.Input = n.Input[:1]
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"convolutions of stride 0", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "Conv2D") {
			n.Attr["strides"].GetList().I = []int64{1, 0, 0, 1}
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"a circle", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "Conv2D") {
			n.Input[0] = n.Name + ":output:0"
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"constants of a negative shape", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "Const") {
			if t := n.Attr["value"].GetTensor(); t.GetDtype() == typespb.DataType_DT_FLOAT {
				t.TensorShape = &shapepb.TensorShapeProto{Dim: []*shapepb.TensorShapeProto_Dim{{Size: -3}}}
			}
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"a call of a function that is not there", inGraph(func(g *corepb.MetaGraphDef) {
		for _, n := range nodesOf(g, "StatefulPartitionedCall") {
			n.Attr["f"].GetFunc().Name = "gone"
		}
	}), "MODEL_NOT_UNDERSTOOD"},
	{"300,000 nodes one after another", inGraph(func(g *corepb.MetaGraphDef) {
		info := only(g.SignatureDef["serving_default"].Outputs)
		last, _, _ := strings.Cut(info.GetName(), ":")
		t := map[string]*attrpb.AttrValue{"T": {Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}}
		for i := range 300_000 {
			name := fmt.Sprintf("n%d", i)
			g.GraphDef.Node = append(g.GraphDef.Node, &nodepb.NodeDef{Op: "Identity", Name: name, Input: []string{last}, Attr: t})
			last = name
		}
		info.Encoding = &corepb.TensorInfo_Name{Name: last + ":0"}
	}), "MODEL_NOT_UNDERSTOOD"},
}

func inOrder(all ...func(string) error) func(string) error {
	return func(dir string) error {
		for _, one := range all {
			if err := one(dir); err != nil {
				return err
			}
		}
		return nil
	}
}

func removing(name string) func(string) error {
	return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
}

func holding(name, content string) func(string) error {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644) }
}

func halving(name string) func(string) error {
	return altering(name, func(data []byte) []byte { return data[:len(data)/2] })
}

func flipping(name string) func(string) error {
	return altering(name, func(data []byte) []byte {
		data[len(data)/2] ^= 0x10
		return data
	})
}

func linking(to, name string) func(string) error {
	return func(dir string) error { return os.Symlink(to, filepath.Join(dir, name)) }
}

func altering(name string, alter func([]byte) []byte) func(string) error {
	return func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), alter(data), 0o644)
	}
}

func editing(edit func(*corepb.SavedModel)) func(string) error {
	return func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, graphFile))
		if err != nil {
			return err
		}
		model := new(corepb.SavedModel)
		if err := proto.Unmarshal(data, model); err != nil {
			return err
		}
		edit(model)
		if data, err = proto.Marshal(model); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, graphFile), data, 0o644)
	}
}

func inGraph(edit func(*corepb.MetaGraphDef)) func(string) error {
	return editing(func(m *corepb.SavedModel) { edit(m.MetaGraphs[0]) })
}

// nodesOf are the nodes of an operation, in all functions.
func nodesOf(g *corepb.MetaGraphDef, op string) (found []*nodepb.NodeDef) {
	lists := [][]*nodepb.NodeDef{g.GraphDef.Node}
	for _, f := range g.GraphDef.Library.GetFunction() {
		lists = append(lists, f.NodeDef)
	}
	for _, list := range lists {
		for _, n := range list {
			if n.Op == op {
				found = append(found, n)
			}
		}
	}
	return found
}

// only is the one element of a map.
func only[K comparable, V any](m map[K]V) V {
	for _, v := range m {
		return v
	}
	panic("an empty map")
}

// reshape gives all variables another first dimension.
func reshape(g *corepb.MetaGraphDef, size int64) {
	for _, n := range nodesOf(g, "VarHandleOp") {
		if dims := n.Attr["shape"].GetShape().GetDim(); len(dims) > 0 {
			dims[0].Size = size
		}
	}
}
