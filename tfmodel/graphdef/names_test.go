package graphdef

import (
	"slices"
	"strings"
	"testing"
)

// Each case lists nodes; "=" tells the names of those that make feature maps, in order.
func TestLayerNames(t *testing.T) {
	for what, c := range map[string]struct {
		nodes string
		want  []string
	}{
		"Keras 3 numbers every folder": {`
			Conv2D functional_1/block1_conv1_1/convolution
			Relu functional_1/block1_conv1_1/Relu
			MaxPool functional_1/block1_pool_1/MaxPool2d
			Conv2D functional_1/block2_conv1_1/convolution`,
			[]string{"block1_conv1", "block1_conv1", "block1_pool", "block2_conv1"},
		},
		"Keras 3 numbers names that have a number": {`
			Conv2D sequential_1/conv2d_1/convolution
			Conv2D sequential_1/conv2d_1_2/convolution
			Conv2D sequential_1/conv2d_2_1/convolution`,
			[]string{"conv2d", "conv2d_1", "conv2d_2"},
		},
		"Keras 3 calls one layer three times": {`
			Conv2D functional_1/conv2d_1/convolution
			Relu functional_1/re_lu_1/Relu
			Conv2D functional_1/conv2d_1_2/convolution
			Relu functional_1/re_lu_3/Relu
			Relu functional_1/re_lu_5/Relu`,
			[]string{"conv2d", "functional_1/re_lu_1", "conv2d_1", "functional_1/re_lu_3", "functional_1/re_lu_5"},
		},
		"Keras 2": {`
			Conv2D model/conv2d/Conv2D
			Relu model/conv2d/Relu
			Conv2D model/conv2d_1/Conv2D
			Relu model/conv2d_1/Relu`,
			[]string{"conv2d", "conv2d", "conv2d_1", "conv2d_1"},
		},
		"numbered by hand": {`
			Conv2D model/conv_1/Conv2D
			Conv2D model/conv_2/Conv2D
			Conv2D model/top_1/Conv2D`,
			[]string{"conv_1", "conv_2", "top_1"},
		},
		"a model within a model": {`
			Sub functional_1/rescaling_1/sub
			Conv2D functional_1/base_1/Conv1_1/convolution
			Add functional_1/base_1/add_1/Add
			Conv2D functional_1/base_1/Conv2_1/convolution
			MatMul functional_1/dense_1/MatMul`,
			[]string{"rescaling", "Conv1", "add", "Conv2", "dense"},
		},
		"two models with the same layers": {`
			Conv2D model/left/conv1/Conv2D
			Conv2D model/left/conv2/Conv2D
			Conv2D model/right/conv1/Conv2D
			Conv2D model/right/conv3/Conv2D`,
			[]string{"model/left/conv1", "conv2", "model/right/conv1", "conv3"},
		},
		"operations without a folder": {`
			Conv2D Conv2D
			Relu Relu
			Conv2D Conv2D_1
			Relu Relu_1`,
			[]string{"Conv2D", "Relu", "Conv2D_1", "Relu_1"},
		},
		"a sum between the layers of a class": {`
			Conv2D net_1/conv2d_1/convolution
			Conv2D net_1/conv2d_1_2/convolution
			AddV2 net_1/add
			AddV2 net_1/Add_1`,
			[]string{"conv2d", "conv2d_1", "add", "add_1"},
		},
		"scopes within a layer": {`
			Conv2D net/conv1/weights/Conv2D
			Mul net/conv1/norm/mul
			Conv2D net/conv2/weights/Conv2D`,
			[]string{"conv1", "conv1", "conv2"},
		},
	} {
		list := nodes(c.nodes)
		names := nameLayers(list)
		var got []string
		for _, n := range list {
			got = append(got, names[n.Name].name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", what, got, c.want)
		}
	}
}

// An alias that is another layer's name would answer for the wrong one.
func TestAliases(t *testing.T) {
	names := nameLayers(nodes(`
		Conv2D m_1/conv2d_1/convolution
		Conv2D m_1/conv2d_1_2/convolution`))
	for node, want := range map[string]string{
		"m_1/conv2d_1/convolution":   "m_1/conv2d_1 m_1/conv2d_1/convolution",
		"m_1/conv2d_1_2/convolution": "m_1/conv2d_1_2 conv2d_1_2 m_1/conv2d_1_2/convolution",
	} {
		if got := strings.Join(names[node].aliases, " "); got != want {
			t.Errorf("%s also answers to %q, want %q", node, got, want)
		}
	}
}
