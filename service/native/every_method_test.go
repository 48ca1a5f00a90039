package native_test

import (
	"slices"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// allMethods are those of the protocol, but for some.
func allMethods(but ...pb.Method) (list []pb.Method) {
	for i := range int32(len(pb.Method_name)) {
		if m := pb.Method(i); i > 0 && !slices.Contains(but, m) {
			list = append(list, m)
		}
	}
	return list
}

// manyPasses tells whether a method takes differences of float32 scores, of which the first digits are lost.
func manyPasses(m pb.Method) bool {
	return slices.Contains([]pb.Method{scoreCAM, ablationCAM, occlusion, rise, smoothGrad, smoothGradCAMpp, integratedGradients}, m)
}

// checkRaw compares an explanation with the oracle.
func checkRaw(t *testing.T, s *sight, w why, o *pb.MethodOptions, e *pb.Explanation) {
	t.Helper()
	tolerance := 1e-5
	if manyPasses(e.GetMethod()) || o.GetEigenSmooth() {
		tolerance = 1e-4
	}
	s.raw(t, e.GetMethod(), w, o).checkWithin(t, e.GetHeatmap(), tolerance)
}

// quick are settings with which methods of many passes take few, none of them the default.
func quick() *pb.MethodOptions {
	return &pb.MethodOptions{
		Seed:                -7,
		Noise:               &pb.NoiseOptions{Samples: 9, Level: 0.3},
		IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: 6},
		Occlusion:           &pb.OcclusionOptions{Patch: 3, Stride: 2},
		Rise:                &pb.RiseOptions{Masks: 30, Grid: 3, Keep: 0.4},
	}
}

var atLayer = &pb.Rendering{Resolution: layerSize}

// Every method of the protocol, at two layers, for the scores of a class and of one class rather than another, against the
// formulas.
func TestEveryMethod(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		s := one(newDeep())
		s.tcp = tcp
		r := start(t, s)
		p := mixed(8, 6)
		seen := look(p.inputs(), 3)
		asked := []why{of(0), of(2), {false, 1, 2}}
		for _, probability := range []bool{false, true} {
			for _, layer := range []string{"block/features", early} {
				for what, options := range map[string]*pb.MethodOptions{"defaults": nil, "quick": quick()} {
					at, methods := seen, allMethods()
					if layer == early {
						at, methods = seen.early(), allMethods(cam) // which works at the pooled layer only
					}
					if options == nil && (tcp || layer == early) { // once is enough of thousands of masks
						continue
					}
					c := &pb.ExplainConfig{Methods: methods, Layers: []string{layer}, Options: options, Rendering: atLayer}
					c.Targets = []*pb.Target{class(0), class(2), versus(class(1), 2)}
					if probability {
						c.Score = pb.Score_SCORE_PROBABILITY
					}
					got := explain(t, r, p.image(t), c)
					if len(got.GetExplanations()) != len(methods)*len(asked) {
						t.Fatalf("%d explanations", len(got.GetExplanations()))
					}
					for i, e := range got.GetExplanations() {
						m, w := methods[i%len(methods)], asked[i/len(methods)]
						w.probability = probability
						t.Run(name("%s %v %+v %s", layer, m, w, what), func(t *testing.T) {
							if e.GetMethod() != m || e.GetLayer() != layer || e.GetTarget().GetClassIndex() != int32(w.class) {
								t.Fatalf("explains %v of %v at %s", e.GetTarget(), e.GetMethod(), e.GetLayer())
							}
							checkRaw(t, at, w, options, e)
						})
					}
				}
			}
		}
	})
}
