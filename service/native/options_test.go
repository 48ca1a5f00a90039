package native_test

import (
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// targetOf is a target of the protocol for what is explained.
func targetOf(w why) *pb.Target {
	if w.versus < 0 {
		return class(int32(w.class))
	}
	return versus(class(int32(w.class)), int32(w.versus))
}

// settings are what some methods are asked with at one layer.
type settings struct {
	layer   string
	methods []pb.Method
	options *pb.MethodOptions
	asked   []why
}

// check explains a picture for one kind of score, and compares with the oracle.
func (c settings) check(t *testing.T, r *rig, image *pb.Image, s *sight, probability bool) {
	t.Helper()
	config := &pb.ExplainConfig{Methods: c.methods, Layers: []string{c.layer}, Options: c.options, Rendering: atLayer}
	if probability {
		config.Score = pb.Score_SCORE_PROBABILITY
	}
	if c.layer == early {
		s = s.early()
	}
	for _, w := range c.asked {
		config.Targets = append(config.Targets, targetOf(w))
	}
	for i, e := range explain(t, r, image, config).GetExplanations() {
		w := c.asked[i/len(c.methods)]
		w.probability = probability
		t.Run(name("%s %v %+v", e.GetLayer(), e.GetMethod(), w), func(t *testing.T) { checkRaw(t, s, w, c.options, e) })
	}
}

// The named forms of methods, and their settings at and beyond their ends.
func TestOptions(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	const (
		variance = pb.NoiseStatistic_NOISE_STATISTIC_VARIANCE
		square   = pb.NoiseStatistic_NOISE_STATISTIC_SQUARE
		official = pb.ScoreCamForm_SCORE_CAM_FORM_OFFICIAL_CODE
	)
	plusPlus := []pb.Method{gradCAMpp, guidedGradCAMpp}
	one, two := []why{of(0), of(1), of(2)}, []why{of(1), {false, 0, 2}}
	for what, c := range map[string]settings{
		"softmax":            {"", plusPlus, &pb.MethodOptions{GradCamPlusPlusForm: softmaxForm}, one},
		"authors":            {"", plusPlus, &pb.MethodOptions{GradCamPlusPlusForm: authorsForm}, two},
		"authors, early":     {early, plusPlus, &pb.MethodOptions{GradCamPlusPlusForm: authorsForm}, two},
		"exponential":        {"", plusPlus, &pb.MethodOptions{GradCamPlusPlusForm: pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_EXPONENTIAL}, two},
		"one noisy sample":   {"", []pb.Method{smoothGrad, smoothGradCAMpp}, &pb.MethodOptions{Seed: 1 << 60, Noise: &pb.NoiseOptions{Samples: 1}}, two},
		"VarGrad":            {"", []pb.Method{smoothGrad}, &pb.MethodOptions{Noise: &pb.NoiseOptions{Samples: 12, Level: 0.5, Statistic: variance}}, two},
		"SquareGrad":         {"", []pb.Method{smoothGrad}, &pb.MethodOptions{Noise: &pb.NoiseOptions{Samples: 12, Level: 0.5, Statistic: square}}, two},
		"much noise":         {early, []pb.Method{smoothGradCAMpp, smoothGrad}, &pb.MethodOptions{Seed: 3, Noise: &pb.NoiseOptions{Samples: 17, Level: 10}}, two},
		"one step":           {"", []pb.Method{integratedGradients}, &pb.MethodOptions{IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: 1}}, two},
		"official Score-CAM": {"", []pb.Method{scoreCAM}, &pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{Form: official}}, two},
		"official, early":    {early, []pb.Method{scoreCAM}, &pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{Form: official, MaxChannels: 2}}, two},
		"best channel":       {"", []pb.Method{scoreCAM}, &pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{MaxChannels: 1}}, two},
		"best two channels":  {"", []pb.Method{scoreCAM}, &pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{MaxChannels: 2}}, two},
		"more than channels": {"", []pb.Method{scoreCAM}, &pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{MaxChannels: 9}}, two},
		"single pixels":      {"", []pb.Method{occlusion}, &pb.MethodOptions{Occlusion: &pb.OcclusionOptions{Patch: 1, Stride: 1}}, two},
		"gaps":               {"", []pb.Method{occlusion}, &pb.MethodOptions{Occlusion: &pb.OcclusionOptions{Patch: 4, Stride: 3}}, two},
		"the whole picture":  {"", []pb.Method{occlusion}, &pb.MethodOptions{Occlusion: &pb.OcclusionOptions{Patch: 65536}}, two},
		"wider than high":    {"", []pb.Method{occlusion}, &pb.MethodOptions{Occlusion: &pb.OcclusionOptions{Patch: 7, Stride: 1}}, two},
		"one cell":           {"", []pb.Method{rise}, &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 40, Grid: 1, Keep: 0.9}}, two},
		"more cells than px": {"", []pb.Method{rise}, &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 40, Grid: 17, Keep: 0.1}}, two},
	} {
		t.Run(what, func(t *testing.T) {
			c.check(t, r, p.image(t), seen, false)
			c.check(t, r, p.image(t), seen, true)
		})
	}
}

// The pictures that show nothing, in the units of models with several ways of preprocessing.
func TestBaselines(t *testing.T) {
	p := painting{8, 6, func(x, y int) [3]uint8 { // of little contrast, since a unit of a pixel may be one of the logit
		c := mixed(8, 6).at(x, y)
		return [3]uint8{120 + c[0]/40, 113 + c[1]/40, 100 + c[2]/40}
	}}
	for what, c := range map[string]struct {
		how   explaind.Preprocessing
		input func(k int, pixel float64) float64 // channel k of the input, of a pixel's values in the order of the input
		order [3]int
	}{
		"unit": {explaind.Preprocessing{Mode: explaind.ModeUnit}, func(_ int, v float64) float64 { return v / 255 }, [3]int{0, 1, 2}},
		"tf":   {explaind.Preprocessing{Mode: explaind.ModeTF}, func(_ int, v float64) float64 { return v/127.5 - 1 }, [3]int{0, 1, 2}},
		"caffe": {explaind.Preprocessing{Mode: explaind.ModeCaffe}, func(k int, v float64) float64 { return v - []float64{103.939, 116.779, 123.68}[k] },
			[3]int{2, 1, 0}},
	} {
		m := newDeep()
		m.Spec().Preprocessing = c.how
		r := start(t, one(m))
		x := newGrid(6, 8).each(func(y, x, k int, _ float64) float64 { return c.input(k, float64(p.at(x, y)[c.order[k]])) })
		seen := look(x, 3)
		for k := range seen.black {
			seen.black[k] = c.input(k, 0)
		}
		for i := range int32(len(pb.Baseline_name)) {
			b := pb.Baseline(i)
			o := &pb.MethodOptions{
				IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: 3, Baseline: b},
				Occlusion:           &pb.OcclusionOptions{Patch: 3, Baseline: b},
			}
			t.Run(name("%s %v", what, b), func(t *testing.T) {
				s := settings{"", []pb.Method{integratedGradients, occlusion}, o, []why{of(1), {false, 2, 0}}}
				s.check(t, r, p.image(t), seen, false)
				if what != "caffe" { // where black is so far away that its probabilities have no digits
					s.check(t, r, p.image(t), seen, true)
				}
			})
		}
	}
}

// The map of Integrated Gradients adds up to the change of the score: exactly for the logit, which is linear here, and but
// for the error of few steps for the probability. Nothing else has these two numbers.
func TestCompleteness(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	for _, probability := range []bool{false, true} {
		for _, steps := range []int32{1, 2, 40} {
			o := &pb.MethodOptions{IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: steps}}
			c := &pb.ExplainConfig{Methods: []pb.Method{saliency, integratedGradients}, Layers: []string{"", early}, Options: o, Targets: []*pb.Target{class(0), versus(class(2), 1)}}
			if probability {
				c.Score = pb.Score_SCORE_PROBABILITY
			}
			asked := []why{{probability, 0, -1}, {probability, 2, 1}}
			for i, e := range explain(t, r, p.image(t), c).GetExplanations() {
				if e.GetMethod() == saliency {
					if e.ScoreChange != nil || e.CompletenessGap != nil {
						t.Errorf("saliency has %v", e)
					}
					continue
				}
				_, change, gap := seen.integrated(asked[i/2%2], o)
				within(t, "score_change", e.GetScoreChange(), change, 1e-5)
				within(t, "completeness_gap", e.GetCompletenessGap(), gap, 1e-5)
				if e.ScoreChange == nil || e.CompletenessGap == nil || probability && steps == 1 && gap < 1e-3 {
					t.Errorf("%d steps: %v, want a gap of %v", steps, e, gap)
				}
			}
		}
	}
}

// The first principal component, for each method that weighs.
func TestEigenSmooth(t *testing.T) {
	r := start(t, one(newDeep()))
	p := mixed(8, 6)
	seen := look(p.inputs(), 3)
	methods := []pb.Method{gradCAM, gradCAMpp, hiResCAM, xGradCAM, layerCAM, smoothGradCAMpp, scoreCAM, ablationCAM}
	o := quick()
	o.EigenSmooth = true
	for _, layer := range []string{"features", early} {
		for _, probability := range []bool{false, true} {
			settings{layer, methods, o, []why{of(0), of(1), {false, 2, 0}}}.check(t, r, p.image(t), seen, probability)
		}
	}
	for _, m := range allMethods(methods...) {
		_, err := r.Explain(t.Context(), &pb.ExplainRequest{Image: p.image(t), Config: &pb.ExplainConfig{Methods: []pb.Method{gradCAM, m}, Options: proto.CloneOf(o)}})
		badRequest{code: invalid, reason: "OPTION_UNSUPPORTED", subject: "config.options.eigen_smooth"}.check(t, m.String(), status.Convert(err))
	}
}
