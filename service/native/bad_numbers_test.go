package native_test

import (
	"fmt"
	"math"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// badNumbers are the ends of every number's type in every field that is a number, every enum's unknown values, and names that
// nothing bears.
func badNumbers() []badRequest {
	const (
		least, most = math.MinInt32, math.MaxInt32
		bad         = "BAD_OPTION"
		class0      = "config.targets[1].class_index"
	)
	var rows []badRequest
	add := func(row badRequest) { rows = append(rows, row) }

	for _, n := range []int32{least, most} {
		end := map[int32]string{least: "least", most: "most"}[n]
		for field, o := range map[string]*pb.MethodOptions{
			"noise.samples":              {Noise: &pb.NoiseOptions{Samples: n}},
			"score_cam.max_channels":     {ScoreCam: &pb.ScoreCamOptions{MaxChannels: n}},
			"occlusion.patch":            {Occlusion: &pb.OcclusionOptions{Patch: n}},
			"occlusion.stride":           {Occlusion: &pb.OcclusionOptions{Stride: n}},
			"rise.masks":                 {Rise: &pb.RiseOptions{Masks: n}},
			"rise.grid":                  {Rise: &pb.RiseOptions{Grid: n}},
			"integrated_gradients.steps": {IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: n}},
		} {
			add(badOption(end+" "+field, o, bad, field))
		}
		for field, o := range map[string]struct {
			options *pb.MethodOptions
			reason  string
		}{
			"fusion":                        {&pb.MethodOptions{Fusion: pb.Fusion(n)}, "UNKNOWN_FUSION"},
			"grad_cam_plus_plus_form":       {&pb.MethodOptions{GradCamPlusPlusForm: pb.GradCamPlusPlusForm(n)}, "UNKNOWN_GRAD_CAM_PLUS_PLUS_FORM"},
			"noise.statistic":               {&pb.MethodOptions{Noise: &pb.NoiseOptions{Statistic: pb.NoiseStatistic(n)}}, "UNKNOWN_NOISE_STATISTIC"},
			"score_cam.form":                {&pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{Form: pb.ScoreCamForm(n)}}, "UNKNOWN_SCORE_CAM_FORM"},
			"occlusion.baseline":            {&pb.MethodOptions{Occlusion: &pb.OcclusionOptions{Baseline: pb.Baseline(n)}}, "UNKNOWN_BASELINE"},
			"integrated_gradients.baseline": {&pb.MethodOptions{IntegratedGradients: &pb.IntegratedGradientsOptions{Baseline: pb.Baseline(n)}}, "UNKNOWN_BASELINE"},
		} {
			add(badOption(fmt.Sprintf("%s %s", end, field), o.options, o.reason, field))
		}
		add(badConfig(end+" method", &pb.ExplainConfig{Methods: []pb.Method{pb.Method(n)}}, invalid, "UNKNOWN_METHOD", "config.methods[0]"))
		add(badConfig(end+" score", &pb.ExplainConfig{Score: pb.Score(n)}, invalid, "UNKNOWN_SCORE", "config.score"))
		add(badRendering(end+" resolution", &pb.Rendering{Resolution: pb.Resolution(n)}, "UNKNOWN_RESOLUTION", "resolution"))
		add(badRendering(end+" interpolation", &pb.Rendering{Interpolation: pb.Interpolation(n)}, "UNKNOWN_INTERPOLATION", "interpolation"))
		add(badRendering(end+" colour map", &pb.Rendering{Colormap: pb.Colormap(n)}, "UNKNOWN_COLORMAP", "colormap"))
		add(badTarget(end+" class", class(n), invalid, "CLASS_OUT_OF_RANGE", class0))
		add(badTarget(end+" rank", rank(n), invalid, "RANK_OUT_OF_RANGE", "config.targets[1].rank"))
		add(badTarget(end+" versus", versus(class(0), n), invalid, "CLASS_OUT_OF_RANGE", "config.targets[1].versus_class_index"))
	}
	add(badConfig("least top_k", &pb.ExplainConfig{TopK: least}, invalid, "BAD_TOP_K", "config.top_k"))

	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32} {
		add(badOption(fmt.Sprintf("noise of %g", x), &pb.MethodOptions{Noise: &pb.NoiseOptions{Level: x}}, bad, "noise.level"))
		add(badOption(fmt.Sprintf("probability of %g", x), &pb.MethodOptions{Rise: &pb.RiseOptions{Keep: x}}, bad, "rise.keep"))
		add(badRendering(fmt.Sprintf("alpha of %g", x), &pb.Rendering{Alpha: proto.Float32(x)}, "BAD_ALPHA", "alpha"))
	}

	for what, shape := range map[string][]int64{
		"no side at all":         {0, 0, 0},
		"negative channels":      {4, 4, -3},
		"all negative":           {-4, -4, -3},
		"a row of all":           {48},
		"six dimensions":         {1, 1, 1, 4, 4, 3},
		"channels first of four": {1, 3, 4, -4},
		"negative batch":         {-1, 4, 4, 3},
	} {
		add(badImage(what, tensor(uint8s, mixed(4, 4).bytes(), shape...), "BAD_SHAPE", "image.tensor.shape"))
		add(badImage(what+", FLOAT32", tensor(float32s, littleEndian(make([]float32, 48)...), shape...), "BAD_SHAPE", "image.tensor.shape"))
	}
	for what, shape := range map[string][]int64{
		"2⁶² rows":         {1 << 62, 4, 3},
		"product of 2⁶⁴":   {1 << 32, 1 << 32, 3},
		"product beyond 0": {math.MaxInt64, math.MaxInt64, 3},
	} {
		add(badImage(what, tensor(uint8s, mixed(4, 4).bytes(), shape...), "IMAGE_TOO_LARGE", "image.tensor.shape"))
	}
	for what, dtype := range map[string]pb.DataType{"least type": least, "most type": most, "negative type": -1} {
		add(badImage(what, tensor(dtype, mixed(4, 4).bytes(), 4, 4, 3), "BAD_DTYPE", "image.tensor.dtype"))
	}

	for what, name := range map[string]string{"blank": " ", "NUL": "col\x00ours", "upper case": "COLOURS", "with its version": "colours/1", "a dot": ".", "two lines": "a\nb"} {
		add(badModel("model: "+what, name, 0, "", notFound, "MODEL_NOT_FOUND", "model "+name))
		add(badModel("label of a version: "+what, "colours", 0, name, notFound, "VERSION_LABEL_NOT_FOUND", "version_label "+name))
		add(badConfig("layer: "+what, &pb.ExplainConfig{Layers: []string{name}}, codes.NotFound, "LAYER_NOT_FOUND", "layer "+name))
		add(badTarget("class: "+what, label(name), notFound, "LABEL_NOT_FOUND", "label "+name))
	}
	add(badModel("least version", "colours", math.MinInt64, "", invalid, "BAD_VERSION", "version"))
	add(badConfig("a thousand layers", &pb.ExplainConfig{Layers: strings.Split(strings.Repeat("features ", 999)+"features", " ")}, invalid, "TOO_MANY_EXPLANATIONS", "config"))
	return rows
}
