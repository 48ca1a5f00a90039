package graphdef

import (
	"fmt"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Rewrite replaces operations for which TensorFlow has no gradient in C++ by equal ones that have, and refuses those that cannot run
// here at all.
func Rewrite(g *Graph) (*Graph, error) {
	out := NewGraph()
	for _, n := range g.Nodes {
		switch n.Op {
		case "Erfc":
			erfc(out, n)
		case "FusedBatchNorm", "FusedBatchNormV2":
			n.Op = "FusedBatchNormV3"
			n.Attr["U"] = Type(typespb.DataType_DT_FLOAT)
			out.Add(n)
		default:
			out.Add(n)
		}
		if err := refuse(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// erfc writes Erfc(x) as 1 − Erf(x), under the node's own name.
func erfc(g *Graph, n *nodepb.NodeDef) {
	t := n.Attr["T"]
	one := g.Add(NewNode("Const", n.Name+"/one", nil, map[string]*attrpb.AttrValue{
		"dtype": t,
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: scalarOne(t.GetType())}},
	}))
	erf := g.Add(NewNode("Erf", n.Name+"/erf", Inputs(n), map[string]*attrpb.AttrValue{"T": t}))
	g.Add(NewNode("Sub", n.Name, []Ref{one, erf}, map[string]*attrpb.AttrValue{"T": t}))
}

func scalarOne(t typespb.DataType) *tensorpb.TensorProto {
	p := &tensorpb.TensorProto{Dtype: t, TensorShape: &shapepb.TensorShapeProto{}}
	switch t {
	case typespb.DataType_DT_DOUBLE:
		p.DoubleVal = []float64{1}
	case typespb.DataType_DT_HALF:
		p.HalfVal = []int32{0x3c00}
	case typespb.DataType_DT_BFLOAT16:
		p.HalfVal = []int32{0x3f80}
	default:
		p.FloatVal = []float32{1}
	}
	return p
}

// refuse names what cannot be explained, or not run, before it fails at the first request.
func refuse(n *nodepb.NodeDef) error {
	switch n.Op {
	case "Conv2D", "MaxPool", "AvgPool", "FusedBatchNormV3", "DepthwiseConv2dNative":
		if format := string(n.Attr["data_format"].GetS()); format == "NCHW" {
			return fmt.Errorf("node %q (%s) wants its images channels first (data_format NCHW), which is not understood; "+
				"export the model with channels_last", n.Name, n.Op)
		}
	case "If", "StatelessIf", "While", "StatelessWhile", "Case", "StatelessCase", "Switch", "Merge", "Enter":
		return fmt.Errorf("node %q (%s) is control flow, which is not understood; export the model for inference (training=False)", n.Name, n.Op)
	}
	return nil
}
