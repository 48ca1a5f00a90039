package tfmodel

import (
	"testing"

	"github.com/explaind/explaind"
)

// The sigmoid of 20, 40 and 30 is 1 in float32: only the logits still know the order.
func TestResolveRanksByLogits(t *testing.T) {
	logits := []float32{20, -3, 40, 30}
	var order []int
	for _, c := range []struct {
		target explaind.Target
		want   int
	}{
		{explaind.Target{Rank: 1}, 2}, {explaind.Target{Rank: 2}, 3}, {explaind.Target{Rank: 4}, 1}, {explaind.Target{Class: 1}, 1},
	} {
		if got := resolve(c.target, logits, &order); got != c.want {
			t.Errorf("%+v is class %d, want %d", c.target, got, c.want)
		}
	}
}
