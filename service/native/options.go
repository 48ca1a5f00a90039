package native

import (
	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// options reads the settings of the methods. Their numbers are checked by package explain.
func options(o *pb.MethodOptions) (explaind.MethodOptions, error) {
	const field = "config.options."
	out := explaind.MethodOptions{Seed: o.GetSeed(), AugSmooth: o.GetAugSmooth(), EigenSmooth: o.GetEigenSmooth()}
	var err error
	if out.Fusion, err = meaning(field+"fusion", o.GetFusion(), fusions); err != nil {
		return out, err
	}
	if out.PlusPlusForm, err = meaning(field+"grad_cam_plus_plus_form", o.GetGradCamPlusPlusForm(), plusPlusForms); err != nil {
		return out, err
	}
	noise := o.GetNoise()
	out.Noise.Samples, out.Noise.Level = int(noise.GetSamples()), noise.GetLevel()
	if out.Noise.Statistic, err = meaning(field+"noise.statistic", noise.GetStatistic(), noiseStatistics); err != nil {
		return out, err
	}
	path := o.GetIntegratedGradients()
	out.IntegratedGradients.Steps = int(path.GetSteps())
	if out.IntegratedGradients.Baseline, err = meaning(field+"integrated_gradients.baseline", path.GetBaseline(), baselines); err != nil {
		return out, err
	}
	out.ScoreCAM.MaxChannels = int(o.GetScoreCam().GetMaxChannels())
	if out.ScoreCAM.Form, err = meaning(field+"score_cam.form", o.GetScoreCam().GetForm(), scoreCAMForms); err != nil {
		return out, err
	}
	patch := o.GetOcclusion()
	out.Occlusion.Patch, out.Occlusion.Stride = int(patch.GetPatch()), int(patch.GetStride())
	if out.Occlusion.Baseline, err = meaning(field+"occlusion.baseline", patch.GetBaseline(), baselines); err != nil {
		return out, err
	}
	masks := o.GetRise()
	out.RISE = explaind.RISEOptions{Masks: int(masks.GetMasks()), Grid: int(masks.GetGrid()), Keep: masks.GetKeep()}
	return out, nil
}
