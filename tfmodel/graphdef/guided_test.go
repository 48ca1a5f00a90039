package graphdef

import (
	"slices"
	"testing"
)

// Of two rectifiers and a pooling on the way back, the rectifiers' copies get a ReLU on what comes in; what lies before
// the cotangent, or beside the way, is shared or left alone.
func TestAddGuided(t *testing.T) {
	g := graph(`
		Placeholder x
		Const w
		Conv2D conv x w
		Relu act conv
		Const ones
		Mul cotangent ones act
		MaxPoolGrad g/pool act cotangent
		ReluGrad g/act g/pool act
		Identity g/beside g/act
		Conv2DBackpropInput g/conv w g/act
		Relu6Grad g/x g/conv:1 x`)
	before := len(g.Nodes)
	got := AddGuided(g, Ref{Node: "cotangent"}, Ref{Node: "g/x"})
	if got != (Ref{Node: "explaind/guided/g/x"}) {
		t.Errorf("the guided gradient is %v", got)
	}
	wantLines(t, FromNodes(g.Nodes[before:]), `
		MaxPoolGrad explaind/guided/g/pool act cotangent
		Relu explaind/guided/g/act/rectified explaind/guided/g/pool
		ReluGrad explaind/guided/g/act explaind/guided/g/act/rectified act
		Conv2DBackpropInput explaind/guided/g/conv w explaind/guided/g/act
		Relu explaind/guided/g/x/rectified explaind/guided/g/conv:1
		Relu6Grad explaind/guided/g/x explaind/guided/g/x/rectified x`)
}

func TestAddGuidedWithoutRectifiers(t *testing.T) {
	g := graph(`
		Placeholder x
		Sigmoid y x
		Const cotangent
		SigmoidGrad g y cotangent`)
	if got := AddGuided(g, Ref{Node: "cotangent"}, Ref{Node: "g"}); got != (Ref{}) || len(g.Nodes) != 4 {
		t.Errorf("got %v and %d nodes", got, len(g.Nodes))
	}
}

func TestFloatInput(t *testing.T) {
	floats := func(names ...string) func(Ref) bool {
		return func(r Ref) bool { return slices.Contains(names, r.Node) }
	}
	cast := "Placeholder x\n Identity pass x\n Cast y pass\n Conv2D z y"
	for _, c := range []struct {
		what, graph string
		floats      []string
		want        string
	}{
		{"floating-point already", "Placeholder x\n Conv2D z x", []string{"x", "z"}, "x"},
		{"cast once", cast, []string{"y", "z"}, "y"},
		{"cast twice", "Placeholder x\n Cast y x\n Cast z x", []string{"y", "z"}, ""},
		{"no cast", "Placeholder x\n Gather y x", []string{"y"}, ""},
		{"read by nobody", "Placeholder x", nil, ""},
	} {
		at, ok := FloatInput(graph(c.graph), Ref{Node: "x"}, floats(c.floats...))
		if ok != (c.want != "") || at.Node != c.want {
			t.Errorf("%s: got %v, %v; want %q", c.what, at, ok, c.want)
		}
	}
}
