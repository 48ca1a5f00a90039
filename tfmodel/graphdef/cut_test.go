package graphdef

import "testing"

func TestCut(t *testing.T) {
	g := graph(`
		Placeholder x
		Const w
		Conv2D stem x w
		Relu stem/relu stem
		Conv2D branch stem/relu w
		Split parts branch
		Add sum parts:1 stem/relu
		Relu top sum
		Mean pool top
		Shape size x
		MatMul logits pool w
		Softmax out logits
		ReluGrad g/top top pool
		Conv2DBackpropInput g/stem size g/top
		Add g/sum g/stem parts:1`)
	for _, c := range []struct {
		at, target string
		want       []string
	}{
		// only the layer itself leads on
		{"top", "out", nil},
		// the shortcut crosses the branch, and with a second output
		{"branch", "out", []string{"stem/relu"}},
		{"parts", "out", []string{"stem/relu"}},
		// the sum hides what it was made of
		{"sum", "out", nil},
		// a backward pass reads values from before the layer
		{"sum", "g/stem", []string{"size"}},
		{"sum", "g/sum", []string{"size", "parts:1"}},
	} {
		got := Cut(g, Ref{Node: "x"}, Ref{Node: c.at}, Ref{Node: c.target})
		if len(got) != len(c.want) {
			t.Errorf("from %s to %s: got %v, want %v", c.at, c.target, got, c.want)
			continue
		}
		for i := range got {
			if got[i].String() != c.want[i] {
				t.Errorf("from %s to %s: got %v, want %v", c.at, c.target, got, c.want)
			}
		}
	}
}
