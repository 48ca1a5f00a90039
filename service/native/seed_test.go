package native_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// The same seed gives the same bytes, in whatever company and on whichever server; another seed gives others where random
// numbers are drawn, and nowhere else.
func TestSeeds(t *testing.T) {
	image := mixed(8, 6).image(t)
	methods := allMethods()
	ask := func(r *rig, seed int64, targets ...*pb.Target) []*pb.Explanation {
		o := quick()
		o.Seed = seed
		return explain(t, r, image, &pb.ExplainConfig{Methods: methods, Targets: targets, Options: o, Score: pb.Score_SCORE_PROBABILITY, Faithfulness: true}).GetExplanations()
	}
	random := []pb.Method{smoothGrad, smoothGradCAMpp, rise}
	narrow := one(newDeep())
	narrow.options = service.Options{MaxInFlight: 1}
	r := start(t, one(newDeep()))
	first := ask(r, 42, class(1))
	again := ask(start(t, narrow), 42, class(1))
	many := ask(r, 42, class(0), class(2), class(1), versus(class(1), 0))[2*len(methods):]
	for i, e := range first {
		if !proto.Equal(e, again[i]) || !proto.Equal(e, many[i]) {
			t.Errorf("%v: got %v\nagain %v\namong others %v", e.GetMethod(), e, again[i], many[i])
		}
	}
	for _, seed := range []int64{0, 43, -42, 42 << 32} {
		for i, e := range ask(r, seed, class(1)) {
			other := !proto.Equal(e.GetHeatmap(), first[i].GetHeatmap())
			if other != slices.Contains(random, e.GetMethod()) {
				t.Errorf("seed %d: the map of %v changed: %v", seed, e.GetMethod(), other)
			}
			// The noise of ROAD has a seed too; the other measures of the same map have none.
			if !other && (e.GetFaithfulness().GetRoad() == first[i].GetFaithfulness().GetRoad() ||
				e.GetFaithfulness().GetDeletionAuc() != first[i].GetFaithfulness().GetDeletionAuc()) {
				t.Errorf("seed %d: %v is as faithful as %v, before %v", seed, e.GetMethod(), e.GetFaithfulness(), first[i].GetFaithfulness())
			}
		}
	}
}
