package graphdef

import (
	"strings"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"
)

// fuzzOps are the operations that the passes look at, with their inputs before and their outputs behind the arrow.
var fuzzOps = opsOf(`
	Placeholder > output
	PlaceholderWithDefault input > output
	Const > output
	Identity input > output
	IdentityN input*T > output*T
	VarHandleOp > resource
	VariableV2 > ref
	ReadVariableOp resource > value
	AssignVariableOp resource value >
	Conv2D input filter > output
	DepthwiseConv2dNative input filter > output
	MaxPool input > output
	AvgPool value > output
	BiasAdd value bias > output
	MatMul a b > product
	Mean input reduction_indices > output
	Squeeze input > output
	Reshape tensor shape > output
	Softmax logits > softmax
	Sigmoid x > y
	Relu features > activations
	Mul x y > z
	AddV2 x y > z
	Sub x y > z
	RealDiv x y > z
	Exp x > y
	Sum input reduction_indices > output
	Max input reduction_indices > output
	Cast x > y
	Erfc x > y
	Switch data pred > output_false output_true
	Merge inputs*N > output value_index
	If cond input*Tin > output*Tout
	PartitionedCall args*Tin > output*Tout
	StatefulPartitionedCall args*Tin > output*Tout
	RandomUniform shape > output
	Transpose x perm > y
	NoOp >`)

func opsOf(table string) Ops {
	list := &opdefpb.OpList{}
	args := func(words []string) (out []*opdefpb.OpDef_ArgDef) {
		for _, word := range words {
			name, attr, many := strings.Cut(word, "*")
			arg := &opdefpb.OpDef_ArgDef{Name: name}
			switch {
			case many && attr == "N":
				arg.NumberAttr = attr
			case many:
				arg.TypeListAttr = attr
			}
			out = append(out, arg)
		}
		return out
	}
	for line := range strings.Lines(table) {
		before, after, found := strings.Cut(line, ">")
		if words := strings.Fields(before); found {
			list.Op = append(list.Op, &opdefpb.OpDef{Name: words[0], InputArg: args(words[1:]), OutputArg: args(strings.Fields(after))})
		}
	}
	return NewOps(list)
}

// FuzzPasses takes any graph through all passes, in the order in which a model is compiled. A pass may refuse it, but must
// return, and what the passes make is a graph whose inputs are there.
func FuzzPasses(f *testing.F) {
	for _, def := range fuzzSeeds() {
		data, err := proto.Marshal(def)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "x", "out")
	}
	f.Fuzz(func(t *testing.T, data []byte, input, output string) {
		def := new(graphpb.GraphDef)
		if proto.Unmarshal(data, def) != nil || Check(def, fuzzOps) != nil {
			return
		}
		ValueNodes(def, output)
		flat, refs, err := Inline(FoldConditions(def), []Ref{ParseRef(input), ParseRef(output)}, fuzzOps)
		if err != nil {
			return
		}
		for _, n := range flat.Nodes {
			if fuzzOps[n.Op] == nil || fuzzOps.checkInputs(n) != nil { // what TensorFlow refuses when the graph is first imported
				return
			}
		}
		if flat, err = Rewrite(flat); err != nil {
			return
		}
		Unfed(flat, refs[0], refs[1])
		Random(flat, refs[0], refs[1])
		flat, variables, err := Freeze(flat)
		if err != nil {
			return
		}
		head := FindHead(flat, refs[1], shapesByAttr(flat))
		EndsInProbabilities(flat, refs[1], shapesByAttr(flat))
		layers, chosen := FindLayers(flat, refs[0], head.Logits, shapesByAttr(flat))
		if chosen >= len(layers) || chosen < -1 {
			t.Fatalf("layer %d of %d is the default", chosen, len(layers))
		}
		LastWeights(flat, refs[0], head.Logits, func(name string) bool { return flat.Node(name).GetOp() == "Placeholder" })
		for _, l := range layers {
			Cut(flat, refs[0], l.Output, head.Logits)
		}
		score := AddScore(flat, head, 3, typespb.DataType_DT_FLOAT)
		AddGuided(flat, score.ModelCotangent, refs[1])
		for _, v := range variables {
			if flat.Node(v.Name) == nil {
				t.Fatalf("the variable %q is not in the graph", v.Name)
			}
		}
		for _, n := range flat.Nodes {
			for _, in := range Inputs(n) {
				if flat.Node(in.Node) == nil {
					t.Fatalf("node %q reads %q, which is not in the graph", n.Name, in.Node)
				}
			}
		}
	})
}

// shapesByAttr takes the shape of a node's outputs from its attribute "shape".
func shapesByAttr(g *Graph) Shapes {
	return func(r Ref) ([]int64, bool) {
		shape := g.Node(r.Node).GetAttr()["shape"].GetShape()
		return shapeOf(shape), shape != nil
	}
}

// fuzzSeeds are small graphs of every kind that the passes know.
func fuzzSeeds() []*graphpb.GraphDef {
	plain := nodes(`
		Placeholder x
		VarHandleOp block/conv/kernel
		ReadVariableOp block/conv/read block/conv/kernel
		Conv2D block/conv/Conv2D x block/conv/read
		Relu block/conv/Relu block/conv/Conv2D
		Const axes
		Mean pool/Mean block/conv/Relu axes
		VarHandleOp dense/kernel
		ReadVariableOp dense/read dense/kernel
		MatMul dense/MatMul pool/Mean dense/read
		Softmax out dense/MatMul`)
	for _, name := range []string{"x", "block/conv/Conv2D", "block/conv/Relu"} {
		set(plain, name, "shape", &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: Shape(-1, 8, 8, 3)}})
	}
	for _, name := range []string{"pool/Mean", "dense/MatMul"} {
		set(plain, name, "shape", &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: Shape(-1, 3)}})
	}
	called := library(function("f(a)", "z=inner/Relu:activations:0", `
		Relu inner/Relu a`))
	called.Node = append(nodes(`
		Placeholder x
		StatefulPartitionedCall call x
		Softmax out call`), ints("axes", 1, 2))
	set(called.Node, "call", "f", calls("f", nil))
	types := &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Type: []typespb.DataType{typespb.DataType_DT_FLOAT}}}}
	set(called.Node, "call", "Tin", types)
	set(called.Node, "call", "Tout", types)
	old := nodes(`
		Placeholder x
		Const off
		PlaceholderWithDefault training off
		Switch cond/Switch x training
		Exp cond/Exp cond/Switch:1
		Merge cond/Merge cond/Switch cond/Exp
		VariableV2 w
		Identity w/read w
		Mul scaled cond/Merge w/read
		Sigmoid out scaled`)
	set(old, "off", "value", truth(false))
	set(old, "cond/Merge", "N", Int(2))
	itself := nodes(`
		Identity x out
		Erfc out x`)
	return []*graphpb.GraphDef{{Node: plain}, called, {Node: old}, {Node: itself}, {}}
}
