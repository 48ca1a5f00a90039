package native_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

const (
	cam                 = pb.Method_METHOD_CAM
	gradCAM             = pb.Method_METHOD_GRAD_CAM
	gradCAMpp           = pb.Method_METHOD_GRAD_CAM_PLUS_PLUS
	hiResCAM            = pb.Method_METHOD_HIRES_CAM
	xGradCAM            = pb.Method_METHOD_XGRAD_CAM
	layerCAM            = pb.Method_METHOD_LAYER_CAM
	eigenCAM            = pb.Method_METHOD_EIGEN_CAM
	eigenGradCAM        = pb.Method_METHOD_EIGEN_GRAD_CAM
	scoreCAM            = pb.Method_METHOD_SCORE_CAM
	ablationCAM         = pb.Method_METHOD_ABLATION_CAM
	saliency            = pb.Method_METHOD_SALIENCY
	gradientXInput      = pb.Method_METHOD_GRADIENT_X_INPUT
	smoothGrad          = pb.Method_METHOD_SMOOTH_GRAD
	integratedGradients = pb.Method_METHOD_INTEGRATED_GRADIENTS
	guidedBackprop      = pb.Method_METHOD_GUIDED_BACKPROP
	guidedGradCAM       = pb.Method_METHOD_GUIDED_GRAD_CAM
	guidedGradCAMpp     = pb.Method_METHOD_GUIDED_GRAD_CAM_PLUS_PLUS
	smoothGradCAMpp     = pb.Method_METHOD_SMOOTH_GRAD_CAM_PLUS_PLUS
	occlusion           = pb.Method_METHOD_OCCLUSION
	rise                = pb.Method_METHOD_RISE
	articleCAM          = pb.Method_METHOD_ARTICLE_CAM
	article             = pb.Method_METHOD_ARTICLE_GRAD_CAM
	articlepp           = pb.Method_METHOD_ARTICLE_GRAD_CAM_PLUS_PLUS

	softmaxForm = pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_SOFTMAX
	authorsForm = pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE

	layerSize    = pb.Resolution_RESOLUTION_LAYER
	inputSize    = pb.Resolution_RESOLUTION_INPUT
	originalSize = pb.Resolution_RESOLUTION_ORIGINAL
)

func class(i int32) *pb.Target { return &pb.Target{Kind: &pb.Target_ClassIndex{ClassIndex: i}} }

func label(s string) *pb.Target { return &pb.Target{Kind: &pb.Target_Label{Label: s}} }

func rank(i int32) *pb.Target { return &pb.Target{Kind: &pb.Target_Rank{Rank: i}} }

func versus(t *pb.Target, other int32) *pb.Target {
	t.VersusClassIndex = &other
	return t
}

func explain(t *testing.T, r *rig, i *pb.Image, c *pb.ExplainConfig) *pb.ExplainResponse {
	t.Helper()
	return must[*pb.ExplainResponse](t)(r.Explain(t.Context(), &pb.ExplainRequest{Image: i, Config: c}))
}

// Every method, score and kind of target, in one answer each, against the formulas.
func TestExplainNumbers(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		s := one(colours())
		s.tcp = tcp
		r := start(t, s)
		p := mixed(4, 4)
		seen := look(p.inputs(), 3)
		best, second, last := seen.ranked(1), seen.ranked(2), seen.ranked(3)
		targets := []struct {
			asked         *pb.Target
			class, versus int
		}{
			{&pb.Target{}, best, -1},
			{class(0), 0, -1}, {class(1), 1, -1}, {class(2), 2, -1},
			{label("blue"), 2, -1}, {label("GREEN"), 1, -1},
			{rank(1), best, -1}, {rank(2), second, -1}, {rank(3), last, -1},
			{versus(class(0), 1), 0, 1}, {versus(label("red"), 2), 0, 2}, {versus(rank(2), int32(best)), second, best},
		}
		methods := []pb.Method{cam, gradCAM, gradCAMpp, article, articlepp}
		for _, score := range []pb.Score{pb.Score_SCORE_UNSPECIFIED, pb.Score_SCORE_LOGIT, pb.Score_SCORE_PROBABILITY} {
			c := &pb.ExplainConfig{Methods: methods, Score: score, TopK: 2, Rendering: &pb.Rendering{Resolution: layerSize}}
			for _, x := range targets {
				c.Targets = append(c.Targets, x.asked)
			}
			got := explain(t, r, p.image(t), c)
			if len(got.GetPredictions()) != 2 || got.GetPredictions()[0].GetClassIndex() != int32(best) {
				t.Errorf("predictions are %v", got.GetPredictions())
			}
			if len(got.GetExplanations()) != len(targets)*len(methods) {
				t.Fatalf("%d explanations", len(got.GetExplanations()))
			}
			for i, e := range got.GetExplanations() {
				x, m := targets[i/len(methods)], methods[i%len(methods)]
				t.Run(name("%v %v %v", score, m, x.asked), func(t *testing.T) {
					if e.GetMethod() != m || e.GetLayer() != "block/features" || e.GetTarget().GetClassIndex() != int32(x.class) {
						t.Fatalf("explains %v of %v at %s", e.GetTarget(), e.GetMethod(), e.GetLayer())
					}
					if want := []string{"red", "green", "blue"}[x.class]; e.GetTarget().GetLabel() != want {
						t.Errorf("label is %q, want %q", e.GetTarget().GetLabel(), want)
					}
					near(t, "probability", e.GetTarget().GetProbability(), seen.probs[x.class])
					near(t, "logit", e.GetTarget().GetLogit(), seen.logits[x.class])
					seen.raw(t, m, why{score == pb.Score_SCORE_PROBABILITY, x.class, x.versus}, nil).check(t, e.GetHeatmap())
				})
			}
		}
	})
}

// Nothing asked is Grad-CAM of the most probable class at the default layer, as values of the input's size.
func TestExplainDefaults(t *testing.T) {
	r := start(t, one(colours()))
	seen := look(mixed(4, 4).inputs(), 3)
	for what, c := range map[string]*pb.ExplainConfig{
		"no config":             nil,
		"empty config":          {},
		"unspecified":           {Methods: []pb.Method{pb.Method_METHOD_UNSPECIFIED}, Layers: []string{""}, Targets: []*pb.Target{{}}, Rendering: &pb.Rendering{}},
		"layer by alias":        {Layers: []string{"features"}},
		"layer by node":         {Layers: []string{"block/features/AvgPool"}},
		"values beside nothing": {Rendering: &pb.Rendering{Values: true}},
	} {
		t.Run(what, func(t *testing.T) {
			got := explain(t, r, mixed(4, 4).image(t), c)
			if len(got.GetExplanations()) != 1 || got.GetComparisonPng() != nil {
				t.Fatalf("%d explanations", len(got.GetExplanations()))
			}
			e := got.GetExplanations()[0]
			if e.GetMethod() != gradCAM || e.GetLayer() != "block/features" || e.GetHeatmapPng() != nil || e.GetOverlayPng() != nil {
				t.Errorf("explanation is %v", e)
			}
			seen.raw(t, gradCAM, of(seen.ranked(1)), nil).bilinear(4, 4).check(t, e.GetHeatmap())
		})
	}
}

// Explanations are ordered by layer, target and method, each as asked, also when some of them share a run of the model.
func TestExplainOrder(t *testing.T) {
	m := colours()
	second := m.Spec().Layers[1]
	second.Name, second.Aliases = "block/other", nil
	m.Spec().Layers = append(m.Spec().Layers, second)
	r := start(t, one(m))
	got := explain(t, r, mixed(4, 4).image(t), &pb.ExplainConfig{
		Methods: []pb.Method{article, gradCAMpp}, Layers: []string{"other", "block/features"}, Targets: []*pb.Target{class(2), class(0)},
	})
	var order []string
	for _, e := range got.GetExplanations() {
		order = append(order, name("%s %d %d", e.GetLayer(), e.GetTarget().GetClassIndex(), e.GetMethod()))
	}
	want := []string{
		"block/other 2 22", "block/other 2 3", "block/other 0 22", "block/other 0 3",
		"block/features 2 22", "block/features 2 3", "block/features 0 22", "block/features 0 3",
	}
	if !slices.Equal(order, want) {
		t.Errorf("the order is %q, want %q", order, want)
	}
	if m.Runs() != 2 { // one for the logit's gradients, one for the probability's
		t.Errorf("the model ran %d times, want 2", m.Runs())
	}
}

// The three sizes, by both interpolations, of an 8×8 picture whose every pixel block is one pixel of the input.
func TestResolutions(t *testing.T) {
	small := mixed(4, 4)
	large := painting{8, 8, func(x, y int) [3]uint8 { return small.at(x/2, y/2) }}
	seen := look(small.inputs(), 3)
	raw := seen.raw(t, gradCAM, of(1), nil)
	r := start(t, one(colours()))
	for _, c := range []struct {
		resolution    pb.Resolution
		interpolation pb.Interpolation
		want          heat
	}{
		{layerSize, pb.Interpolation_INTERPOLATION_UNSPECIFIED, raw},
		{layerSize, pb.Interpolation_INTERPOLATION_CUBIC_SPLINE, raw},
		{inputSize, pb.Interpolation_INTERPOLATION_UNSPECIFIED, raw.bilinear(4, 4)},
		{inputSize, pb.Interpolation_INTERPOLATION_BILINEAR, raw.bilinear(4, 4)},
		{inputSize, pb.Interpolation_INTERPOLATION_CUBIC_SPLINE, raw.spline(4, 4)},
		{pb.Resolution_RESOLUTION_UNSPECIFIED, pb.Interpolation_INTERPOLATION_CUBIC_SPLINE, raw.spline(4, 4)},
		{originalSize, pb.Interpolation_INTERPOLATION_BILINEAR, raw.bilinear(8, 8)},
		{originalSize, pb.Interpolation_INTERPOLATION_CUBIC_SPLINE, raw.spline(8, 8)},
	} {
		t.Run(name("%v %v", c.resolution, c.interpolation), func(t *testing.T) {
			got := explain(t, r, large.image(t), &pb.ExplainConfig{Targets: []*pb.Target{class(1)},
				Rendering: &pb.Rendering{Resolution: c.resolution, Interpolation: c.interpolation}})
			c.want.check(t, got.GetExplanations()[0].GetHeatmap())
		})
	}
}

// Of a 16×8 picture the model sees the middle 4×4, columns 6 to 9 and rows 2 to 5. The rest of the map is zero.
func TestCrop(t *testing.T) {
	m := colours()
	m.Spec().Preprocessing.Crop, m.Spec().Preprocessing.CropFraction = explaind.CropCenter, 0.5
	r := start(t, one(m))
	p := mixed(16, 8)
	middle := painting{4, 4, func(x, y int) [3]uint8 { return p.at(6+x, 2+y) }}
	raw := look(middle.inputs(), 3).raw(t, gradCAM, of(0), nil)
	part := raw.bilinear(4, 4)
	whole := make(heat, 8)
	for y := range whole {
		whole[y] = make([]float64, 16)
		if y >= 2 && y < 6 {
			copy(whole[y][6:], part[y-2])
		}
	}
	for resolution, want := range map[pb.Resolution]heat{layerSize: raw, inputSize: part, originalSize: whole} {
		got := explain(t, r, p.image(t), &pb.ExplainConfig{Targets: []*pb.Target{class(0)},
			Rendering: &pb.Rendering{Values: true, Resolution: resolution, OverlayPng: true, Alpha: proto.Float32(0)}})
		want.check(t, got.GetExplanations()[0].GetHeatmap())
		under := middle
		if resolution == originalSize {
			under = p
		}
		samePicture(t, decoded(t, got.GetExplanations()[0].GetOverlayPng()), under)
	}
}

// A model without labels names no classes, and the words of figures say "class 1".
func TestNoLabels(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	m.Spec().Labels = nil
	r := start(t, one(m))
	got := explain(t, r, mixed(4, 4).image(t), &pb.ExplainConfig{Rendering: &pb.Rendering{ComparisonPng: true}})
	for _, p := range append(got.GetPredictions(), got.GetExplanations()[0].GetTarget()) {
		if p.GetLabel() != "" {
			t.Errorf("label %q out of nowhere", p.GetLabel())
		}
	}
	if decoded(t, got.GetComparisonPng()).Bounds().Empty() {
		t.Error("no figure")
	}
}
