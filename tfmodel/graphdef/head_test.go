package graphdef

import (
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

func window(height, width int64) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{I: []int64{1, height, width, 1}}}}
}

func TestFindHead(t *testing.T) {
	const trunk = `
		Placeholder x
		Placeholder kernel
		Placeholder bias
		Placeholder w
		Const shape
		Relu features x
		`
	shapes := shapesOf(map[string][]int64{"features": {-1, 7, 7, 32}, "same": {-1, 7, 7, 32}, "wide": {-1, 7, 7, 32}, "pool": {-1, 1, 1, 32}, "kernel": {32, 10},
		"groups": {-1, 5, 2}, "w": {1, 1, 16, 10}})
	valid := func(list []*nodepb.NodeDef) { set(list, "pool", "padding", text("VALID")) }
	for what, c := range map[string]struct {
		nodes      string
		axes       []int32
		change     func([]*nodepb.NodeDef)
		activation string
		logits     string
		pooled     string
		kernel     string
	}{
		"pooling, dense, softmax": {
			nodes:      "Mean pool features axes\nMatMul dense pool kernel\nBiasAdd logits dense bias\nSoftmax out logits",
			activation: "softmax", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"negative axes, sum for the bias, identities around": {
			nodes: "Identity same features\nMean pool same axes\nIdentity dropout pool\nIdentity read kernel\nMatMul dense dropout read\n" +
				"AddV2 logits dense bias\nSoftmax soft logits\nIdentity out soft",
			axes:       []int32{-3, -2},
			activation: "softmax", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"mixed precision": {
			nodes: "Cast wide features\nMean mean wide axes\nCast pool mean\nCast narrow kernel\nMatMul dense pool narrow\n" +
				"BiasAdd biased dense bias\nCast logits biased\nSoftmax out logits",
			activation: "softmax", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"one unit with sigmoid": {
			nodes:      "Mean pool features axes\nMatMul dense pool kernel\nBiasAdd logits dense bias\nSigmoid out logits",
			activation: "sigmoid", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"logits": {
			nodes:      "Mean pool features axes\nMatMul dense pool kernel\nBiasAdd out dense bias",
			activation: "linear", logits: "out", pooled: "features", kernel: "kernel",
		},
		"logarithms of probabilities": {
			nodes:      "Mean pool features axes\nMatMul logits pool kernel\nLogSoftmax out logits",
			activation: "linear", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"kept dimensions and a 1×1 convolution, as MobileNet's": {
			nodes:      "Mean pool features axes\nConv2D dense pool kernel\nBiasAdd biased dense bias\nReshape logits biased shape\nSoftmax out logits",
			activation: "softmax", logits: "logits", pooled: "features", kernel: "kernel",
		},
		"average pooling over everything, as TensorFlow 1 wrote it": {
			nodes: "AvgPool pool features\nConv2D dense pool kernel\nBiasAdd biased dense bias\nSqueeze logits biased\n" +
				"Reshape rows logits shape\nSoftmax soft rows\nReshape out soft shape",
			change:     func(list []*nodepb.NodeDef) { valid(list); set(list, "pool", "ksize", window(7, 7)) },
			activation: "softmax", logits: "rows", pooled: "features", kernel: "kernel",
		},
		"average pooling over a part": {
			nodes:      "AvgPool pool features\nConv2D dense pool kernel\nSqueeze logits dense\nSoftmax out logits",
			change:     func(list []*nodepb.NodeDef) { valid(list); set(list, "pool", "ksize", window(3, 7)) },
			activation: "softmax", logits: "logits",
		},
		"mean over the channels": {
			nodes:      "Mean pool features axes\nMatMul dense pool kernel\nSoftmax out dense",
			axes:       []int32{2, 3},
			activation: "softmax", logits: "dense",
		},
		"a hidden dense layer": {
			nodes:      "Mean pool features axes\nMatMul hidden pool w\nRelu relu hidden\nMatMul dense relu kernel\nSoftmax out dense",
			activation: "softmax", logits: "dense",
		},
		"flattened features": {
			nodes:      "Reshape flat features shape\nMatMul dense flat kernel\nSoftmax out dense",
			activation: "softmax", logits: "dense",
		},
		"a transposed kernel": {
			nodes: "Mean pool features axes\nMatMul dense pool kernel\nSoftmax out dense",
			change: func(list []*nodepb.NodeDef) {
				set(list, "dense", "transpose_b", &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: true}})
			},
			activation: "softmax", logits: "dense",
		},
		"scaled logits": {
			nodes:      "Mean pool features axes\nMatMul dense pool kernel\nMul scaled dense w\nSoftmax out scaled",
			activation: "softmax", logits: "scaled",
		},
		"mean of two softmaxes": {
			nodes:      "MatMul dense features kernel\nSoftmax one dense\nSoftmax other dense\nAddV2 sum one other\nMul out sum shape",
			activation: "identity", logits: "out",
		},
		"swish at the end": {
			nodes:      "MatMul dense features kernel\nSigmoid gate dense\nMul out dense gate",
			activation: "linear", logits: "out",
		},
		"a softmax, clipped": {
			nodes:      "MatMul dense features kernel\nSoftmax soft dense\nMinimum out soft w",
			activation: "identity", logits: "out",
		},
		"one minus a sigmoid": {
			nodes:      "MatMul dense features kernel\nSigmoid p dense\nSub rest bias p\nConcatV2 out rest p axes",
			activation: "identity", logits: "out",
		},
		"softmax of groups": {
			nodes:      "MatMul dense features kernel\nReshape rows dense shape\nSoftmax groups rows\nReshape out groups shape",
			activation: "identity", logits: "out",
		},
		"exponentials over their sum": {
			nodes:      "MatMul dense features kernel\nExp e dense\nSum total e axes\nRealDiv out e total",
			activation: "identity", logits: "out",
		},
		"a kernel of groups": {
			nodes:      "Mean pool features axes\nConv2D dense pool w\nSoftmax out dense",
			activation: "softmax", logits: "dense",
		},
		"a head without weights": {
			nodes:      "Mean pool features axes\nSoftmax out pool",
			activation: "softmax", logits: "pool",
		},
	} {
		if c.axes == nil {
			c.axes = []int32{1, 2}
		}
		list := append(nodes(trunk), ints("axes", c.axes...))
		list = append(list, nodes(c.nodes)...)
		if c.change != nil {
			c.change(list)
		}
		got := FindHead(FromNodes(list), Ref{Node: "out"}, shapes)
		want := Head{Logits: Ref{Node: c.logits}, Activation: c.activation, Pooled: Ref{Node: c.pooled}, Kernel: Ref{Node: c.kernel}}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
}

// One number is the logit of one class against its absence.
func TestFindHeadOfOneUnit(t *testing.T) {
	g := graph("Placeholder x\nPlaceholder kernel\nMatMul out x kernel")
	if head := FindHead(g, Ref{Node: "out"}, shapesOf(map[string][]int64{"out": {-1, 1}})); head.Activation != "sigmoid" || head.Logits.Node != "out" {
		t.Errorf("got %+v", head)
	}
}

func TestConstInts(t *testing.T) {
	short := ints("short")
	value := short.Attr["value"].GetTensor()
	value.TensorContent, value.IntVal, value.TensorShape = nil, []int32{4, -9}, Shape(4)
	g := FromNodes(append(nodes("Placeholder x"), ints("packed", 1, -2, 3), short, node("Identity same short")))
	for name, want := range map[string][]int64{"packed": {1, -2, 3}, "same": {4, -9, -9, -9}} {
		got, err := g.ConstInts(Ref{Node: name})
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
	if _, err := g.ConstInts(Ref{Node: "x"}); err == nil {
		t.Error("a placeholder is no constant")
	}
}
