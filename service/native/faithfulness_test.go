package native_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// The measures of each map, whatever size comes back, for the class even where the score is another one.
func TestFaithfulness(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	methods := []pb.Method{gradCAM, hiResCAM, gradientXInput, saliency, occlusion}
	asked := []why{of(1), {false, 0, 1}, of(2)} // of which no two positions have the same relevance by chance
	layers := []string{"block/features", early}
	for _, resolution := range []pb.Resolution{layerSize, inputSize} {
		o := quick()
		got := explain(t, r, p.image(t), &pb.ExplainConfig{Methods: methods, Layers: layers, Options: o, Faithfulness: true,
			Targets: []*pb.Target{targetOf(asked[0]), targetOf(asked[1]), targetOf(asked[2])}, Rendering: &pb.Rendering{Resolution: resolution}})
		for i, e := range got.GetExplanations() {
			w, at := asked[i/len(methods)%len(asked)], seen
			if e.GetLayer() == early {
				at = seen.early()
			}
			t.Run(name("%v %s %v %+v", resolution, e.GetLayer(), e.GetMethod(), w), func(t *testing.T) {
				checkFaithfulness(t, e.GetFaithfulness(), seen.faithfulness(at.raw(t, e.GetMethod(), w, o).bilinear(6, 8), w.class, o))
			})
		}
	}
}

// What is measured is the map that comes back: of a fusion, of the variants of the image.
func TestFaithfulnessOfWhatComesBack(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	for what, o := range map[string]*pb.MethodOptions{
		"fusion":   {Fusion: pb.Fusion_FUSION_PRODUCT},
		"variants": {AugSmooth: true},
		"eigen":    {EigenSmooth: true},
	} {
		c := &pb.ExplainConfig{Methods: []pb.Method{gradCAM}, Layers: []string{"", early}, Targets: []*pb.Target{class(1)}, Options: o, Faithfulness: true}
		for _, e := range explain(t, r, p.image(t), c).GetExplanations() {
			relevance := newHeat(6, 8)
			values := floats(e.GetHeatmap().GetValues())
			relevance = relevance.each(func(y, x int, _ float64) float64 { return float64(values[8*y+x]) })
			t.Run(name("%s %s", what, e.GetLayer()), func(t *testing.T) {
				checkFaithfulness(t, e.GetFaithfulness(), seen.faithfulness(relevance, 1, o))
			})
		}
	}
}

func checkFaithfulness(t *testing.T, got, want *pb.Faithfulness) {
	t.Helper()
	if got == nil {
		t.Fatal("nothing was measured")
	}
	const tolerance = 2e-5
	within(t, "average_drop", got.GetAverageDrop(), float64(want.GetAverageDrop()), tolerance)
	within(t, "average_gain", got.GetAverageGain(), float64(want.GetAverageGain()), tolerance)
	within(t, "deletion_auc", got.GetDeletionAuc(), float64(want.GetDeletionAuc()), tolerance)
	within(t, "insertion_auc", got.GetInsertionAuc(), float64(want.GetInsertionAuc()), tolerance)
	within(t, "road", got.GetRoad(), float64(want.GetRoad()), tolerance)
	within(t, "masked_probability", got.GetMaskedProbability(), float64(want.GetMaskedProbability()), tolerance)
	if got.GetIncrease() != want.GetIncrease() {
		t.Errorf("increase is %v", got.GetIncrease())
	}
}

// Nothing is measured unless it was asked for, and asking changes nothing else.
func TestFaithfulnessIsOptional(t *testing.T) {
	r := start(t, one(newDeep()))
	image := mixed(8, 6).image(t)
	c := &pb.ExplainConfig{Methods: allMethods(rise), Targets: []*pb.Target{class(0), class(2)}, Options: quick()}
	plain := explain(t, r, image, c)
	c.Faithfulness = true
	measured := explain(t, r, image, c)
	for i, e := range plain.GetExplanations() {
		m := measured.GetExplanations()[i]
		if e.GetFaithfulness() != nil || m.GetFaithfulness() == nil {
			t.Errorf("%v: measured %v unasked, %v asked", e.GetMethod(), e.GetFaithfulness(), m.GetFaithfulness())
		}
		m.Faithfulness = nil
		if !proto.Equal(e, m) {
			t.Errorf("%v: got %v, with faithfulness %v", e.GetMethod(), e, m)
		}
	}
}

// A picture, whole or with pixels removed, may be one to which the model has no answer. Then nothing is measured, and a flag
// says why; the map is answered all the same.
func TestFaithfulnessOfNoProbability(t *testing.T) {
	r := start(t, one(colours()))
	for _, m := range []pb.Method{gradCAM, integratedGradients, rise} {
		got := explain(t, r, strong(0, 1.2e38), &pb.ExplainConfig{Methods: []pb.Method{m}, Targets: []*pb.Target{class(0)}, Faithfulness: true,
			Options: &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 8}}})
		if x := got.GetExplanations()[0]; x.GetFaithfulness() != nil || !slices.Contains(x.GetFlags(), nonFinite) {
			t.Errorf("%v: faithfulness %v, flags %v", m, x.GetFaithfulness(), x.GetFlags())
		}
	}
}
