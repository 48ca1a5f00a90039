package native_test

import (
	"math"

	"google.golang.org/grpc/codes"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// addUnwilling adds models that some methods or settings cannot explain.
func addUnwilling(models map[string]explaind.Model) {
	sigmoid, dense, blocked, two := colours(), colours(), colours(), colours()
	sigmoid.Spec().Head.Activation = explaind.Sigmoid
	dense.Spec().Head.PooledLayer = ""
	blocked.Spec().Input.Gradients, blocked.Spec().Input.Reason = false, "operation Frozen has no gradient"
	two.Spec().Input.Channels = 2
	models["sigmoid"], models["dense"], models["blocked"], models["two-channels"] = sigmoid, dense, blocked, two
}

// badOption is a setting out of its range, which is refused whether or not a method looks at it.
func badOption(what string, o *pb.MethodOptions, reason, field string) badRequest {
	return badConfig(what, &pb.ExplainConfig{Options: o}, invalid, reason, "config.options."+field)
}

// unwilling is a method that does not go with a model or a setting.
func unwilling(what string, m pb.Method, o *pb.MethodOptions, code codes.Code, reason, field string) badRequest {
	return badConfig(what, &pb.ExplainConfig{Methods: []pb.Method{m}, Options: o}, code, reason, field)
}

func badOptions() []badRequest {
	const (
		bad         = "BAD_OPTION"
		unsupported = "OPTION_UNSUPPORTED"
		form        = "config.options.grad_cam_plus_plus_form"
		noEigen     = "config.options.eigen_smooth"
	)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	noise := func(n *pb.NoiseOptions) *pb.MethodOptions { return &pb.MethodOptions{Noise: n} }
	path := func(o *pb.IntegratedGradientsOptions) *pb.MethodOptions {
		return &pb.MethodOptions{IntegratedGradients: o}
	}
	score := func(o *pb.ScoreCamOptions) *pb.MethodOptions { return &pb.MethodOptions{ScoreCam: o} }
	patch := func(o *pb.OcclusionOptions) *pb.MethodOptions { return &pb.MethodOptions{Occlusion: o} }
	masks := func(o *pb.RiseOptions) *pb.MethodOptions { return &pb.MethodOptions{Rise: o} }
	softmax, eigen := &pb.MethodOptions{GradCamPlusPlusForm: softmaxForm}, &pb.MethodOptions{EigenSmooth: true}
	passes := func(what string, m pb.Method, o *pb.MethodOptions, faithful bool) badRequest {
		return badRequest{what, inBoth, func(r *pb.ExplainRequest) {
			r.Config = &pb.ExplainConfig{Methods: []pb.Method{m}, Options: o, Faithfulness: faithful}
		}, invalid, "TOO_MANY_PASSES", "config"}
	}
	black := func(what string, m pb.Method, o *pb.MethodOptions, field string) badRequest {
		return badRequest{what, inBoth, func(r *pb.ExplainRequest) {
			r.Model, r.Image = "two-channels", tensor(float32s, littleEndian(make([]float32, 32)...), 4, 4, 2)
			r.Config = &pb.ExplainConfig{Methods: []pb.Method{m}, Options: o}
		}, invalid, unsupported, field}
	}
	return []badRequest{
		badOption("unknown fusion", &pb.MethodOptions{Fusion: 4}, "UNKNOWN_FUSION", "fusion"),
		badOption("unknown form of Grad-CAM++", &pb.MethodOptions{GradCamPlusPlusForm: -1}, "UNKNOWN_GRAD_CAM_PLUS_PLUS_FORM", "grad_cam_plus_plus_form"),
		badOption("unknown statistic", noise(&pb.NoiseOptions{Statistic: 4}), "UNKNOWN_NOISE_STATISTIC", "noise.statistic"),
		badOption("unknown form of Score-CAM", score(&pb.ScoreCamOptions{Form: 3}), "UNKNOWN_SCORE_CAM_FORM", "score_cam.form"),
		badOption("unknown baseline of the path", path(&pb.IntegratedGradientsOptions{Baseline: 5}), "UNKNOWN_BASELINE", "integrated_gradients.baseline"),
		badOption("unknown baseline of the patch", patch(&pb.OcclusionOptions{Baseline: -5}), "UNKNOWN_BASELINE", "occlusion.baseline"),

		badOption("negative samples", noise(&pb.NoiseOptions{Samples: -1}), bad, "noise.samples"),
		badOption("a million samples", noise(&pb.NoiseOptions{Samples: 1_000_000}), bad, "noise.samples"),
		badOption("negative noise", noise(&pb.NoiseOptions{Level: -0.1}), bad, "noise.level"),
		badOption("too much noise", noise(&pb.NoiseOptions{Level: 10.5}), bad, "noise.level"),
		badOption("endless noise", noise(&pb.NoiseOptions{Level: inf}), bad, "noise.level"),
		badOption("noise that is no number", noise(&pb.NoiseOptions{Level: nan}), bad, "noise.level"),
		badOption("negative steps", path(&pb.IntegratedGradientsOptions{Steps: math.MinInt32}), bad, "integrated_gradients.steps"),
		badOption("most steps", path(&pb.IntegratedGradientsOptions{Steps: math.MaxInt32}), bad, "integrated_gradients.steps"),
		badOption("negative channels", score(&pb.ScoreCamOptions{MaxChannels: -1}), bad, "score_cam.max_channels"),
		badOption("too many channels", score(&pb.ScoreCamOptions{MaxChannels: 65_537}), bad, "score_cam.max_channels"),
		badOption("negative patch", patch(&pb.OcclusionOptions{Patch: -3}), bad, "occlusion.patch"),
		badOption("too large a patch", patch(&pb.OcclusionOptions{Patch: 65_537}), bad, "occlusion.patch"),
		badOption("negative stride", patch(&pb.OcclusionOptions{Stride: -1}), bad, "occlusion.stride"),
		badOption("too large a stride", patch(&pb.OcclusionOptions{Stride: math.MaxInt32}), bad, "occlusion.stride"),
		badOption("negative masks", masks(&pb.RiseOptions{Masks: -1}), bad, "rise.masks"),
		badOption("too many masks", masks(&pb.RiseOptions{Masks: 65_537}), bad, "rise.masks"),
		badOption("negative grid", masks(&pb.RiseOptions{Grid: -7}), bad, "rise.grid"),
		badOption("too fine a grid", masks(&pb.RiseOptions{Grid: 257}), bad, "rise.grid"),
		badOption("negative probability", masks(&pb.RiseOptions{Keep: -0.5}), bad, "rise.keep"),
		badOption("all is seen", masks(&pb.RiseOptions{Keep: 1}), bad, "rise.keep"),
		badOption("probability that is no number", masks(&pb.RiseOptions{Keep: nan}), bad, "rise.keep"),

		unwilling("nothing to smooth", saliency, eigen, invalid, unsupported, noEigen),
		unwilling("nothing to smooth in CAM", cam, eigen, invalid, unsupported, noEigen),
		unwilling("a principal component already", eigenCAM, eigen, invalid, unsupported, noEigen),
		unwilling("softmax form of a sigmoid", gradCAMpp, softmax, precondition, unsupported, form).on("sigmoid"),
		unwilling("softmax form of another head", gradCAMpp, softmax, precondition, unsupported, form).on("dense"),
		badConfig("softmax form at another layer", &pb.ExplainConfig{Methods: []pb.Method{gradCAMpp}, Layers: []string{"block/features", "a/twin"}, Options: softmax},
			precondition, unsupported, form).on("twins"),
		badConfig("softmax form of one class rather than another", &pb.ExplainConfig{
			Methods: []pb.Method{gradCAM, gradCAMpp}, Targets: []*pb.Target{rank(1), versus(class(0), 1)}, Options: softmax},
			invalid, unsupported, "config.targets[1].versus_class_index"),
		black("black of two channels, as a path", integratedGradients, path(&pb.IntegratedGradientsOptions{Baseline: pb.Baseline_BASELINE_BLACK}),
			"config.options.integrated_gradients.baseline"),
		black("black of two channels, as a patch", occlusion, patch(&pb.OcclusionOptions{Baseline: pb.Baseline_BASELINE_BLACK}), "config.options.occlusion.baseline"),

		unwilling("no rectifiers", guidedBackprop, nil, precondition, "METHOD_UNSUPPORTED", "config.methods[0]"),
		unwilling("no rectifiers for the product", guidedGradCAMpp, nil, precondition, "METHOD_UNSUPPORTED", "config.layers"),
		unwilling("no gradient at the input", integratedGradients, nil, precondition, "METHOD_UNSUPPORTED", "config.methods[0]").on("blocked"),
		unwilling("no layers to weigh", ablationCAM, nil, precondition, "METHOD_UNSUPPORTED", "config.methods").on("flat"),
		badConfig("no way from the layer on", &pb.ExplainConfig{Methods: []pb.Method{ablationCAM}, Layers: []string{"frozen"}}, precondition, "METHOD_UNSUPPORTED", "config.layers[0]"),

		// 1024 passes are allowed.
		passes("too many masks for the server", rise, masks(&pb.RiseOptions{Masks: 1025}), false),
		passes("the default masks are too many", rise, nil, false),
		passes("too many steps for the server", integratedGradients, path(&pb.IntegratedGradientsOptions{Steps: 1024}), false),
		passes("too many samples of six variants", smoothGrad, &pb.MethodOptions{AugSmooth: true, Noise: &pb.NoiseOptions{Samples: 171}}, false),
		passes("too many with faithfulness", smoothGrad, noise(&pb.NoiseOptions{Samples: 975}), true),
	}
}
