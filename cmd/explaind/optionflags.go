package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// optionFlags are the settings of the methods: one flag for each field of MethodOptions, named as the field. Numbers that
// are 0 are the method's defaults.
type optionFlags struct {
	seed                    int64
	augSmooth, eigenSmooth  bool
	samples, steps          int32
	maxChannels             int32
	patch, stride           int32
	masks, grid             int32
	level, keep             float32
	fusion, plusPlusForm    word
	statistic, scoreCamForm word
	pathBaseline            word
	patchBaseline           word

	flags *pflag.FlagSet // tells which were given
}

func (f *optionFlags) register(cmd *cobra.Command) {
	group(cmd, "Method options", func() { f.add(cmd) })
}

func (f *optionFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.flags = flags
	flags.Int64Var(&f.seed, "seed", 0, "`NUMBER` that the random numbers of methods, and the noise of ROAD, follow from")
	flags.BoolVar(&f.augSmooth, "aug-smooth", false, "average the maps of six variants of the image: mirrored or not, times 1, 0.9 and 1.1")
	flags.BoolVar(&f.eigenSmooth, "eigen-smooth", false, "the first principal component of the weighted activations instead of their sum")
	flags.Int32Var(&f.samples, "noise-samples", 0, "`NUMBER` of noisy images, of smooth_grad and smooth_grad_cam_plus_plus (default 50)")
	flags.Float32Var(&f.level, "noise-level", 0, "`DEVIATION` of the noise over the range of the model's input (default 0.15)")
	flags.Int32Var(&f.steps, "integrated-gradients-steps", 0, "`NUMBER` of steps from the baseline to the image (default 50, doubled up to three times until the map adds up within 1 %)")
	flags.Int32Var(&f.maxChannels, "score-cam-max-channels", 0, "`NUMBER` of channels, those that vary most (default all)")
	flags.Int32Var(&f.patch, "occlusion-patch", 0, "side of the square that covers the image, in `PIXELS` of the model's input (default a seventh of the shorter side)")
	flags.Int32Var(&f.stride, "occlusion-stride", 0, "from one square to the next, in `PIXELS` (default half a square)")
	flags.Int32Var(&f.masks, "rise-masks", 0, "`NUMBER` of masks (default 4000)")
	flags.Int32Var(&f.grid, "rise-grid", 0, "`NUMBER` of a mask's cells per side (default 7)")
	flags.Float32Var(&f.keep, "rise-keep", 0, "`PROBABILITY` that a cell is seen, below 1 (default 0.5)")
	for _, w := range []struct {
		to           *word
		prefix       string
		values       map[string]int32
		flag, effect string
	}{
		{&f.fusion, "FUSION_", pb.Fusion_value, "fusion", "make one map of those of all layers (default: one map per layer)"},
		{&f.plusPlusForm, "GRAD_CAM_PLUS_PLUS_FORM_", pb.GradCamPlusPlusForm_value, "grad-cam-plus-plus-form", "how α is computed (default: exponential)"},
		{&f.statistic, "NOISE_STATISTIC_", pb.NoiseStatistic_value, "noise-statistic", "what smooth_grad takes of the gradients: SmoothGrad, VarGrad, SquareGrad (default: mean)"},
		{&f.pathBaseline, "BASELINE_", pb.Baseline_value, "integrated-gradients-baseline", "where the path begins (default: zero)"},
		{&f.scoreCamForm, "SCORE_CAM_FORM_", pb.ScoreCamForm_value, "score-cam-form", "how channels are weighed: softmax of scores, or probabilities (default: paper)"},
		{&f.patchBaseline, "BASELINE_", pb.Baseline_value, "occlusion-baseline", "what the square shows (default: zero)"},
	} {
		*w.to = word{prefix: w.prefix, values: w.values}
		w.to.register(cmd, w.flag, w.effect)
	}
}

func (f *optionFlags) message() *pb.MethodOptions {
	return &pb.MethodOptions{
		Seed: f.seed, Fusion: pb.Fusion(f.fusion.number), AugSmooth: f.augSmooth, EigenSmooth: f.eigenSmooth,
		GradCamPlusPlusForm: pb.GradCamPlusPlusForm(f.plusPlusForm.number),
		Noise:               &pb.NoiseOptions{Samples: f.samples, Level: f.level, Statistic: pb.NoiseStatistic(f.statistic.number)},
		IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: f.steps, Baseline: pb.Baseline(f.pathBaseline.number)},
		ScoreCam:            &pb.ScoreCamOptions{Form: pb.ScoreCamForm(f.scoreCamForm.number), MaxChannels: f.maxChannels},
		Occlusion:           &pb.OcclusionOptions{Patch: f.patch, Stride: f.stride, Baseline: pb.Baseline(f.patchBaseline.number)},
		Rise:                &pb.RiseOptions{Masks: f.masks, Grid: f.grid, Keep: f.keep},
	}
}
