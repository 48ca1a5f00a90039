package graphdef

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestLastWeights(t *testing.T) {
	for _, c := range []struct{ what, graph, want string }{
		{"dense layer with a bias", `
			Placeholder x
			Placeholder w1
			Conv2D conv x w1
			Mean pool conv axes
			Placeholder w2
			Cast w2/cast w2
			MatMul dense pool w2/cast
			Placeholder b2
			BiasAdd logits dense b2
		`, "b2 w2"},
		{"the other way round", `
			Placeholder x
			Placeholder w1
			MatMul hidden x w1
			Placeholder w2
			MatMul logits w2 hidden
		`, "w2"},
		{"normalised and scaled behind it", `
			Placeholder x
			Placeholder w1
			Conv2D conv x w1
			Placeholder gamma
			FusedBatchNormV3 norm conv gamma
			Placeholder scale
			Mul logits norm scale
		`, "gamma scale w1"},
		{"two heads", `
			Placeholder x
			Placeholder w0
			MatMul trunk x w0
			Placeholder w1
			MatMul left trunk w1
			Placeholder w2
			MatMul right trunk w2
			AddV2 logits left right
		`, "w1 w2"},
		{"a product of two tensors of the image has no kernel", `
			Placeholder x
			Placeholder w1
			MatMul values x w1
			BatchMatMulV2 attention x values
			Identity logits attention
		`, "w1"},
		{"a kernel that is a constant", `
			Placeholder x
			Placeholder w1
			MatMul hidden x w1
			Const w2
			MatMul logits hidden w2
		`, ""},
		{"a gradient reads the weights too", `
			Placeholder x
			Placeholder w1
			MatMul hidden x w1
			Placeholder w2
			MatMul logits hidden w2
			MatMul gradient cotangent w2
			MatMul again gradient w1
		`, "w2"},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := graph(c.graph)
			isVariable := func(name string) bool {
				n := g.Node(name)
				return n != nil && n.Op == "Placeholder" && name != "x"
			}
			found := LastWeights(g, Ref{Node: "x"}, Ref{Node: "logits"}, isVariable)
			if got := strings.Join(slices.Sorted(maps.Keys(found)), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
