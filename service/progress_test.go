package service_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

// Before each pass of a method, or of the measures of its map, it is told how many rows are done, of how many. Methods of
// one run have nothing to tell.
func TestProgress(t *testing.T) {
	type (
		list   = []explaind.Method
		config = service.ExplainConfig
		method = explaind.MethodOptions
	)
	models := fakerepo.New(t, map[string]explaind.Model{"m": metered(4, 4)})
	s := service.New(models, service.Options{})
	rise := method{RISE: explaind.RISEOptions{Masks: 20}}
	for what, c := range map[string]struct {
		config config
		want   []string
	}{
		"one run":              {config{Methods: list{"grad_cam", "saliency", "eigen_cam"}}, nil},
		"rise":                 {config{Methods: list{"rise"}, Options: rise}, []string{"rise 0/20", "rise 8/20", "rise 16/20"}},
		"occlusion":            {config{Methods: list{"occlusion"}}, []string{"occlusion 0/16", "occlusion 8/16"}},
		"score_cam":            {config{Methods: list{"score_cam"}}, []string{"score_cam 0/3"}},
		"ablation_cam":         {config{Methods: list{"ablation_cam"}}, []string{"ablation_cam 0/3"}},
		"integrated_gradients": {config{Methods: list{"integrated_gradients"}, Options: method{IntegratedGradients: explaind.IntegratedGradientsOptions{Steps: 9}}}, []string{"integrated_gradients 0/10", "integrated_gradients 8/10"}},
		"smooth_grad": {config{Methods: list{"smooth_grad"}, Targets: make([]service.Target, 3), Options: method{Noise: explaind.NoiseOptions{Samples: 5}}},
			[]string{"smooth_grad 0/5", "smooth_grad 2/5", "smooth_grad 4/5"}}, // a backward pass has a row per target
		"smooth_grad_cam_plus_plus": {config{Methods: list{"smooth_grad_cam_plus_plus"}, Options: method{Noise: explaind.NoiseOptions{Samples: 9}}},
			[]string{"smooth_grad_cam_plus_plus 0/9", "smooth_grad_cam_plus_plus 8/9"}},
		"methods and layers": {config{Methods: list{"score_cam", "grad_cam", "rise", "ablation_cam"}, Layers: []string{"", "other"}, Options: rise},
			[]string{"score_cam 0/3", "score_cam 0/3", "rise 0/20", "rise 8/20", "rise 16/20", "ablation_cam 0/3", "ablation_cam 0/3"}},
		"faithfulness": {config{Faithfulness: true, Methods: list{"score_cam", "eigen_cam"}}, []string{
			"score_cam 0/3",
			"measuring score_cam 0/50", "measuring score_cam 8/50", "measuring score_cam 16/50", "measuring score_cam 24/50", "measuring score_cam 32/50", "measuring score_cam 40/50", "measuring score_cam 48/50",
			"measuring eigen_cam 0/50", "measuring eigen_cam 8/50", "measuring eigen_cam 16/50", "measuring eigen_cam 24/50", "measuring eigen_cam 32/50", "measuring eigen_cam 40/50", "measuring eigen_cam 48/50",
		}},
		"variants": {config{Methods: list{"occlusion"}, Options: method{AugSmooth: true, Occlusion: explaind.OcclusionOptions{Patch: 2, Stride: 1}}},
			[]string{
				"occlusion 0/9", "occlusion 8/9", "occlusion 0/9", "occlusion 8/9", "occlusion 0/9", "occlusion 8/9",
				"occlusion 0/9", "occlusion 8/9", "occlusion 0/9", "occlusion 8/9", "occlusion 0/9", "occlusion 8/9",
			}},
	} {
		e, err := s.NewExplainer(service.Selector{}, &c.config)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		image := pixels(4, 4)
		_, err = e.Explain(t.Context(), &image, func(p service.Progress) {
			told := fmt.Sprintf("%s %d/%d", p.Method, p.Done, p.Total)
			if p.Measuring {
				told = "measuring " + told
			}
			got = append(got, told)
		})
		e.Close()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: told %q, %v\nwant %q", what, got, err, c.want)
		}
	}
}
