package tfmodel

import (
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// A model whose weights are constants has nothing that could be put in random order, and is not taken for random.
func TestRandomWeightsNeedVariables(t *testing.T) {
	for _, which := range []RandomWeights{RandomHead, RandomAll} {
		err := (&randomisation{1, which}).shuffle(graphdef.NewGraph(), &program{}, nil, nil)
		if e := explaind.AsError(err); e.Code != explaind.FailedPrecondition || e.Reason != "NO_VARIABLES" {
			t.Errorf("%s: got %v", which, err)
		}
	}
	if err := (*randomisation)(nil).shuffle(graphdef.NewGraph(), &program{}, nil, nil); err != nil {
		t.Errorf("nobody asked for it: %v", err)
	}
}
