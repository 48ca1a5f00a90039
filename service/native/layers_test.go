package native_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// One request for many layers, targets and methods is the many requests for one each, to the byte. Methods that look at no
// layer have one map for all of them.
func TestOneRequestIsMany(t *testing.T) {
	m := newDeep()
	r := start(t, one(m))
	image := mixed(8, 6).image(t)
	layers, methods := []string{early, "features"}, allMethods(cam)
	targets := []*pb.Target{rank(2), class(0), versus(label("blue"), 1)}
	for _, score := range []pb.Score{pb.Score_SCORE_LOGIT, pb.Score_SCORE_PROBABILITY} {
		all := explain(t, r, image, &pb.ExplainConfig{Methods: methods, Layers: layers, Targets: targets, Score: score, Options: quick()})
		if len(all.GetExplanations()) != len(layers)*len(targets)*len(methods) {
			t.Fatalf("%d explanations", len(all.GetExplanations()))
		}
		for i, got := range all.GetExplanations() {
			layer, target, method := layers[i/len(methods)/len(targets)], targets[i/len(methods)%len(targets)], methods[i%len(methods)]
			single := explain(t, r, image, &pb.ExplainConfig{
				Methods: []pb.Method{method}, Layers: []string{layer}, Targets: []*pb.Target{target}, Score: score, Options: quick()})
			if want := single.GetExplanations()[0]; !proto.Equal(got, want) {
				t.Errorf("%v of %v at %s: got %v\nalone %v", method, target, layer, got, want)
			}
			if !slices.EqualFunc(all.GetPredictions(), single.GetPredictions(), func(a, b *pb.ClassScore) bool { return proto.Equal(a, b) }) {
				t.Errorf("%v alone predicts %v", method, single.GetPredictions())
			}
		}
	}
}

// Fused maps, at each size: the layers are of 3×4 and of 6×8, the picture of 12×16.
func TestFusion(t *testing.T) {
	r := start(t, one(newDeep()))
	small := mixed(8, 6)
	large := painting{16, 12, func(x, y int) [3]uint8 { return small.at(x/2, y/2) }}
	seen := look(small.inputs(), 3)
	methods := allMethods(cam)
	layers := []string{"block/features", early}
	asked := []why{of(0), {false, 1, 2}}
	// fused is what must come, before growing to the picture's size.
	fused := func(m pb.Method, w why, how pb.Fusion, o *pb.MethodOptions) heat {
		var maps []heat
		for _, s := range []*sight{seen, seen.early()} {
			h := s.raw(t, m, w, o).overMax()
			if m == layerCAM {
				h = h.each(func(_, _ int, v float64) float64 { return math.Tanh(2 * v) })
			}
			if how == pb.Fusion_FUSION_PRODUCT {
				h = h.each(func(_, _ int, v float64) float64 { return max(v, 0) })
			}
			maps = append(maps, h.bilinear(6, 8))
		}
		return maps[0].each(func(y, x int, a float64) float64 {
			switch b := maps[1][y][x]; how {
			case pb.Fusion_FUSION_MAX:
				return max(a, b)
			case pb.Fusion_FUSION_PRODUCT:
				return a * b
			default:
				return (a + b) / 2
			}
		})
	}
	for _, how := range []pb.Fusion{pb.Fusion_FUSION_MEAN, pb.Fusion_FUSION_MAX, pb.Fusion_FUSION_PRODUCT} {
		for _, resolution := range []pb.Resolution{layerSize, inputSize, originalSize} {
			slices.Reverse(layers) // in either order, all is the same but the names
			o := quick()
			o.Fusion = how
			got := explain(t, r, large.image(t), &pb.ExplainConfig{
				Methods: methods, Layers: layers, Targets: []*pb.Target{targetOf(asked[0]), targetOf(asked[1])}, Options: o,
				Rendering: &pb.Rendering{Resolution: resolution}})
			if len(got.GetExplanations()) != len(asked)*len(methods) {
				t.Fatalf("%d explanations", len(got.GetExplanations()))
			}
			for i, e := range got.GetExplanations() {
				m, w := methods[i%len(methods)], asked[i/len(methods)]
				t.Run(name("%v %v %v %+v", how, resolution, m, w), func(t *testing.T) {
					if e.GetMethod() != m || e.GetLayer() != strings.Join(layers, "+") || e.GetTarget().GetClassIndex() != int32(w.class) {
						t.Errorf("explains %v of %v at %s", e.GetTarget(), e.GetMethod(), e.GetLayer())
					}
					want := fused(m, w, how, o)
					if resolution == originalSize {
						want = want.bilinear(12, 16)
					}
					want.checkWithin(t, e.GetHeatmap(), 1e-4)
				})
			}
		}
	}
}

// A fusion of layers of one size has that size at the layers' resolution; one of a single layer is that layer, scaled.
func TestFusionOfOne(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	for what, layers := range map[string][]string{"none named": nil, "one": {"features"}, "twice": {"features", ""}} {
		for _, m := range []pb.Method{gradCAM, layerCAM} {
			got := explain(t, r, p.image(t), &pb.ExplainConfig{Methods: []pb.Method{m}, Layers: layers, Targets: []*pb.Target{class(1)},
				Options: &pb.MethodOptions{Fusion: pb.Fusion_FUSION_MEAN}, Rendering: atLayer})
			want := seen.raw(t, m, of(1), nil).overMax()
			if m == layerCAM {
				want = want.each(func(_, _ int, v float64) float64 { return math.Tanh(2 * v) })
			}
			if len(got.GetExplanations()) != 1 {
				t.Fatalf("%s: %d explanations", what, len(got.GetExplanations()))
			}
			want.check(t, got.GetExplanations()[0].GetHeatmap())
		}
	}
}

// The mean of six variants of the image, by each method. Which class a rank is, the image itself decides.
func TestAugSmooth(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	for _, probability := range []bool{false, true} {
		for _, layer := range []string{"block/features", early} {
			methods := allMethods()
			if layer == early {
				methods = allMethods(cam)
			}
			o := quick()
			o.AugSmooth = true
			c := &pb.ExplainConfig{Methods: methods, Layers: []string{layer}, Targets: []*pb.Target{rank(1), versus(class(0), 2)}, Options: o, Rendering: atLayer}
			if probability {
				c.Score = pb.Score_SCORE_PROBABILITY
			}
			asked := []why{{probability, seen.ranked(1), -1}, {probability, 0, 2}}
			got := explain(t, r, p.image(t), c)
			best := got.GetPredictions()[0]
			near(t, "probability", best.GetProbability(), seen.probs[seen.ranked(1)])
			for i, e := range got.GetExplanations() {
				m, w := methods[i%len(methods)], asked[i/len(methods)]
				t.Run(name("%s %v %+v", layer, m, w), func(t *testing.T) {
					var want heat
					for _, mirror := range []bool{false, true} {
						for _, factor := range []float64{1, 0.9, 1.1} {
							at := seen.again(variant(seen.input, mirror, factor))
							if layer == early {
								at = at.early()
							}
							h := at.raw(t, m, w, o).overMax()
							if mirror {
								h = h.mirrored()
							}
							if want == nil {
								want = newHeat(h.size())
							}
							want = want.each(func(y, x int, v float64) float64 { return v + h[y][x]/6 })
						}
					}
					want.checkWithin(t, e.GetHeatmap(), 1e-4)
					near(t, "logit", e.GetTarget().GetLogit(), seen.logits[w.class])
				})
			}
		}
	}
}

func variant(x grid, mirror bool, factor float64) grid {
	return x.each(func(row, column, k int, v float64) float64 {
		if mirror {
			v = x[row][len(x[row])-1-column][k]
		}
		return factor * v
	})
}
