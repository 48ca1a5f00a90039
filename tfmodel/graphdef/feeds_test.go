package graphdef

import (
	"slices"
	"testing"
)

// The string before the input is not needed, the rate of the dropout is.
func TestUnfed(t *testing.T) {
	g := graph(`
		Placeholder jpeg
		DecodeJpeg decode jpeg
		Identity input decode
		Placeholder keep_prob
		PlaceholderWithDefault training
		Placeholder other
		Mul out input keep_prob
		Add sum out training
		Add unrelated other other`)
	if got := Unfed(g, Ref{Node: "input"}, Ref{Node: "sum"}); !slices.Equal(got, []string{"keep_prob"}) {
		t.Errorf("got %v, want [keep_prob]", got)
	}
}

func TestRandom(t *testing.T) {
	g := graph(`
		Placeholder x
		StatelessRandomUniformV2 flip/uniform x
		Mul flipped x flip/uniform
		RandomUniform dropout/uniform x
		Mul dropped x dropout/uniform`)
	if got := Random(g, Ref{Node: "x"}, Ref{Node: "flipped"}); !slices.Equal(got, []string{"flip/uniform"}) {
		t.Errorf("got %v, want [flip/uniform]", got)
	}
	if got := Random(g, Ref{Node: "x"}, Ref{Node: "x"}); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}
