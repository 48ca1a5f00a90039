package native

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// The tables have every value of the protocol, and the methods are those that can be computed.
func TestEnumsAreWhole(t *testing.T) {
	whole(t, methods)
	whole(t, scores)
	whole(t, resolutions)
	whole(t, interpolations)
	whole(t, colormaps)
	whole(t, fusions)
	whole(t, plusPlusForms)
	whole(t, noiseStatistics)
	whole(t, scoreCAMForms)
	whole(t, baselines)
	for _, m := range explain.Methods() {
		if p, found := methodNames[m]; !found || p.String() != "METHOD_"+strings.ToUpper(string(m)) {
			t.Errorf("method %q is %v in the protocol", m, p)
		}
	}
	if n := len(explain.Methods()); len(methodNames) != n {
		t.Errorf("the protocol has %d methods, package explain %d", len(methodNames), n)
	}
	for f := explaind.FlagAllNonPositive; f <= explaind.FlagGuardedPole; f++ {
		if int32(flags[f]) != int32(f) {
			t.Errorf("flag %d is %v", f, flags[f])
		}
	}
	if n := pb.Flag(0).Descriptor().Values().Len(); len(flags) != n-1 {
		t.Errorf("%d flags of %d can be told", len(flags), n-1)
	}
	for s := explaind.ModelLoading; s <= explaind.ModelUnloaded; s++ {
		if states[s].String() != "MODEL_STATE_"+s.String() {
			t.Errorf("state %v is %v", s, states[s])
		}
	}
	if n := pb.ModelState(0).Descriptor().Values().Len(); len(states) != n-1 {
		t.Errorf("%d states of %d can be told", len(states), n-1)
	}
}

func whole[P interface {
	comparable
	protoreflect.Enum
}, D any](t *testing.T, table map[P]D) {
	t.Helper()
	var zero P
	values := zero.Descriptor().Values()
	if values.Len() != len(table) {
		t.Errorf("%s has %d values, the table %d", zero.Descriptor().Name(), values.Len(), len(table))
	}
	for p := range table {
		if values.ByNumber(p.Number()) == nil {
			t.Errorf("%s has no value %d", zero.Descriptor().Name(), p.Number())
		}
	}
}

// Every config survives the way to the protocol, which the test goes, and back.
func TestExplainConfigRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := randomConfig(random)
		wire, err := proto.Marshal(configToPB(want))
		if err != nil {
			t.Fatal(err)
		}
		var message pb.ExplainConfig
		if err := proto.Unmarshal(wire, &message); err != nil {
			t.Fatal(err)
		}
		got, err := explainConfig(&message)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v became %+v, %v", want, got, err)
		}
	}
}

func randomConfig(r *rand.Rand) service.ExplainConfig {
	some := func() int { return r.IntN(4) - 1 }
	number := func() int { return int(int32(r.Uint32())) }
	pointer := func() *int {
		n := number()
		return &n
	}
	c := service.ExplainConfig{Score: explaind.Score(r.IntN(2)), TopK: number(), Faithfulness: r.IntN(2) == 0, Rendering: service.Rendering{
		Values: r.IntN(2) == 0, HeatmapPNG: r.IntN(2) == 0, OverlayPNG: r.IntN(2) == 0, ComparisonPNG: r.IntN(2) == 0,
		Resolution: service.Resolution(r.IntN(3)), Interpolation: service.Interpolation(r.IntN(2)), Colormap: service.Colormap(r.IntN(4)),
	}}
	if r.IntN(2) == 0 {
		c.Rendering.Alpha = proto.Float32(r.Float32())
	}
	if r.IntN(4) > 0 {
		c.Options = explaind.MethodOptions{
			Seed: int64(r.Uint64()), Fusion: explaind.Fusion(r.IntN(4)), AugSmooth: r.IntN(2) == 0, EigenSmooth: r.IntN(2) == 0,
			PlusPlusForm:        explaind.PlusPlusForm(r.IntN(3)),
			Noise:               explaind.NoiseOptions{Samples: number(), Level: r.Float32(), Statistic: explaind.NoiseStatistic(r.IntN(3))},
			IntegratedGradients: explaind.IntegratedGradientsOptions{Steps: number(), Baseline: explaind.Baseline(r.IntN(4))},
			ScoreCAM:            explaind.ScoreCAMOptions{Form: explaind.ScoreCAMForm(r.IntN(2)), MaxChannels: number()},
			Occlusion:           explaind.OcclusionOptions{Patch: number(), Stride: number(), Baseline: explaind.Baseline(r.IntN(4))},
			RISE:                explaind.RISEOptions{Masks: number(), Grid: number(), Keep: r.Float32()},
		}
	}
	for range some() {
		c.Methods = append(c.Methods, explain.Methods()[r.IntN(len(explain.Methods()))])
	}
	for range some() {
		c.Layers = append(c.Layers, strings.Repeat("ä/", r.IntN(3)))
	}
	for range some() {
		var t service.Target
		switch r.IntN(4) {
		case 0:
			t.Class = pointer()
		case 1:
			t.Label = proto.String(strings.Repeat("kite", r.IntN(3)))
		case 2:
			t.Rank = pointer()
		}
		if r.IntN(2) == 0 {
			t.Versus = pointer()
		}
		c.Targets = append(c.Targets, t)
	}
	return c
}

// configToPB goes by the names of the protocol, not by the tables under test.
func configToPB(c service.ExplainConfig) *pb.ExplainConfig {
	r := c.Rendering
	out := &pb.ExplainConfig{
		Options: optionsToPB(c.Options), Faithfulness: c.Faithfulness,
		Layers: c.Layers, TopK: int32(c.TopK), Score: []pb.Score{pb.Score_SCORE_LOGIT, pb.Score_SCORE_PROBABILITY}[c.Score],
		Rendering: &pb.Rendering{
			Values: r.Values, HeatmapPng: r.HeatmapPNG, OverlayPng: r.OverlayPNG, ComparisonPng: r.ComparisonPNG, Alpha: r.Alpha,
			Resolution:    []pb.Resolution{pb.Resolution_RESOLUTION_INPUT, pb.Resolution_RESOLUTION_LAYER, pb.Resolution_RESOLUTION_ORIGINAL}[r.Resolution],
			Interpolation: pb.Interpolation(pb.Interpolation_value["INTERPOLATION_"+strings.ToUpper(r.Interpolation.String())]),
			Colormap:      pb.Colormap(pb.Colormap_value["COLORMAP_"+strings.ToUpper(r.Colormap.String())]),
		},
	}
	for _, m := range c.Methods {
		out.Methods = append(out.Methods, pb.Method(pb.Method_value["METHOD_"+strings.ToUpper(string(m))]))
	}
	for _, t := range c.Targets {
		p := &pb.Target{}
		switch {
		case t.Class != nil:
			p.Kind = &pb.Target_ClassIndex{ClassIndex: int32(*t.Class)}
		case t.Label != nil:
			p.Kind = &pb.Target_Label{Label: *t.Label}
		case t.Rank != nil:
			p.Kind = &pb.Target_Rank{Rank: int32(*t.Rank)}
		}
		if t.Versus != nil {
			p.VersusClassIndex = proto.Int32(int32(*t.Versus))
		}
		out.Targets = append(out.Targets, p)
	}
	return out
}

// optionsToPB goes by the order in which package explaind says what the settings are.
func optionsToPB(o explaind.MethodOptions) *pb.MethodOptions {
	baseline := func(b explaind.Baseline) pb.Baseline {
		return []pb.Baseline{pb.Baseline_BASELINE_ZERO, pb.Baseline_BASELINE_BLACK, pb.Baseline_BASELINE_MEAN, pb.Baseline_BASELINE_BLUR}[b]
	}
	return &pb.MethodOptions{
		Seed: o.Seed, AugSmooth: o.AugSmooth, EigenSmooth: o.EigenSmooth,
		Fusion: []pb.Fusion{pb.Fusion_FUSION_UNSPECIFIED, pb.Fusion_FUSION_MEAN, pb.Fusion_FUSION_MAX, pb.Fusion_FUSION_PRODUCT}[o.Fusion],
		GradCamPlusPlusForm: []pb.GradCamPlusPlusForm{
			pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_EXPONENTIAL, pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_SOFTMAX,
			pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE,
		}[o.PlusPlusForm],
		Noise: &pb.NoiseOptions{Samples: int32(o.Noise.Samples), Level: o.Noise.Level, Statistic: []pb.NoiseStatistic{
			pb.NoiseStatistic_NOISE_STATISTIC_MEAN, pb.NoiseStatistic_NOISE_STATISTIC_VARIANCE, pb.NoiseStatistic_NOISE_STATISTIC_SQUARE,
		}[o.Noise.Statistic]},
		IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: int32(o.IntegratedGradients.Steps), Baseline: baseline(o.IntegratedGradients.Baseline)},
		ScoreCam: &pb.ScoreCamOptions{MaxChannels: int32(o.ScoreCAM.MaxChannels), Form: []pb.ScoreCamForm{
			pb.ScoreCamForm_SCORE_CAM_FORM_PAPER, pb.ScoreCamForm_SCORE_CAM_FORM_OFFICIAL_CODE,
		}[o.ScoreCAM.Form]},
		Occlusion: &pb.OcclusionOptions{Patch: int32(o.Occlusion.Patch), Stride: int32(o.Occlusion.Stride), Baseline: baseline(o.Occlusion.Baseline)},
		Rise:      &pb.RiseOptions{Masks: int32(o.RISE.Masks), Grid: int32(o.RISE.Grid), Keep: o.RISE.Keep},
	}
}

// Messages that are not there at all are requests with nothing set.
func TestNilMessages(t *testing.T) {
	request, err := explainRequest(nil)
	if err != nil || !reflect.DeepEqual(request, &service.ExplainRequest{}) {
		t.Errorf("nil became %+v, %v", request, err)
	}
	if p := predictRequest(nil); !reflect.DeepEqual(p, &service.PredictRequest{}) {
		t.Errorf("nil became %+v", p)
	}
	if i := imageOf(&pb.Image{Source: &pb.Image_Tensor{}}); i.Tensor != nil || i.Encoded != nil {
		t.Errorf("nothing became %+v", i)
	}
	config, err := explainConfig(&pb.ExplainConfig{Targets: []*pb.Target{nil}})
	if err != nil || !reflect.DeepEqual(config, service.ExplainConfig{Targets: []service.Target{{}}}) {
		t.Errorf("a nil target became %+v, %v", config, err)
	}
}
