package service_test

import (
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

// What each kind of request has the model do, and that the bound on it counts just that: a bound of one less refuses the
// request before the model runs.
func TestCosts(t *testing.T) {
	type (
		list   = []explaind.Method
		config = service.ExplainConfig
		method = explaind.MethodOptions
	)
	three := []service.Target{{}, {Class: ptr(0)}, {Class: ptr(2), Versus: ptr(1)}}
	two := []string{"block/features", "other"}
	rise := explaind.RISEOptions{Masks: 20}
	noise := explaind.NoiseOptions{Samples: 10}
	small := pixels(4, 4)
	for _, c := range []struct {
		what   string
		image  service.Image
		config config
		passes int
		runs   string
	}{
		{"methods of one run", small, config{Targets: three, Layers: two,
			Methods: list{"grad_cam", "grad_cam_plus_plus", "eigen_cam", "saliency"}}, 0, "explain 1"},
		{"all of activations and gradients", small, config{Methods: list{"hires_cam", "xgrad_cam", "layer_cam", "eigen_cam", "eigen_grad_cam"}}, 0, "explain 1"},
		{"of the probability", small, config{Score: explaind.ScoreProbability, Methods: list{"hires_cam", "article_grad_cam", "gradient_x_input"}}, 0, "explain 1"},
		{"occlusion of 4×4 pixels", small, config{Methods: list{"occlusion"}}, 16, "explain 1, 2× predict 8"},
		{"targets share passes", small, config{Methods: list{"occlusion"}, Targets: three}, 16, "explain 1, 2× predict 8"},
		{"RISE", small, config{Methods: list{"rise"}, Targets: three, Options: method{RISE: rise}}, 20, "explain 1, 2× predict 8, predict 4"},
		{"layers share methods of the input", small, config{Methods: list{"rise"}, Layers: two, Options: method{RISE: rise}}, 20, "explain 1, 2× predict 8, predict 4"},
		{"Score-CAM on each layer", small, config{Methods: list{"score_cam"}, Targets: three, Layers: two}, 6, "explain 1, 2× predict 3"},
		{"Score-CAM on two channels", small, config{Methods: list{"score_cam"}, Options: method{ScoreCAM: explaind.ScoreCAMOptions{MaxChannels: 2}}}, 2, "explain 1, predict 2"},
		{"Ablation-CAM on each layer", small, config{Methods: list{"ablation_cam"}, Targets: three, Layers: two}, 6, "explain 1, 2× from 3"},
		{"SmoothGrad", small, config{Methods: list{"smooth_grad"}, Options: method{Noise: noise}}, 10, "explain 1, explain 8, explain 2"},
		{"SmoothGrad of three targets", small, config{Methods: list{"smooth_grad"}, Targets: three, Layers: two, Options: method{Noise: noise}}, 10, "explain 1, 5× explain 2"},
		{"Smooth Grad-CAM++ on each layer", small, config{Methods: list{"smooth_grad_cam_plus_plus"}, Layers: two, Options: method{Noise: explaind.NoiseOptions{Samples: 8}}}, 16, "explain 1, 2× explain 8"},
		{"Integrated Gradients", small, config{Methods: list{"integrated_gradients"}, Options: method{IntegratedGradients: explaind.IntegratedGradientsOptions{Steps: 4}}}, 5, "explain 1, explain 5"},
		{"one after the other", small, config{Methods: list{"rise", "grad_cam", "score_cam", "ablation_cam"}, Options: method{RISE: rise}}, 26, "explain 1, 2× predict 8, predict 4, predict 3, from 3"},
		{"of two scores", small, config{Methods: list{"article_grad_cam", "score_cam", "cam"}}, 3, "2× explain 1, predict 3"},
		{"variants of the image", small, config{Targets: three, Options: method{AugSmooth: true}}, 0, "predict 1, explain 6"},
		{"variants, masked", small, config{Methods: list{"rise", "layer_cam"}, Options: method{AugSmooth: true, RISE: rise}}, 120,
			"predict 1, explain 6, 2× predict 8, predict 4, 2× predict 8, predict 4, 2× predict 8, predict 4, 2× predict 8, predict 4, 2× predict 8, predict 4, 2× predict 8, predict 4"},
		{"faithfulness of a map", small, config{Faithfulness: true}, 50, "explain 1, 6× predict 8, predict 2"},
		{"faithfulness of each map", small, config{Faithfulness: true, Methods: list{"grad_cam", "layer_cam"}, Targets: three[:1], Layers: two}, 200,
			"explain 1, 6× predict 8, predict 2, 6× predict 8, predict 2, 6× predict 8, predict 2, 6× predict 8, predict 2"},
		{"layers share the faithfulness of a map of the input", small, config{Faithfulness: true, Methods: list{"saliency"}, Layers: two}, 50, "explain 1, 6× predict 8, predict 2"},
		{"faithfulness of a fusion", small, config{Faithfulness: true, Layers: two, Options: method{Fusion: explaind.FusionMean}}, 50, "explain 1, 6× predict 8, predict 2"},
		{"a large image", pixels(600, 600), config{Methods: list{"occlusion", "smooth_grad"}, Targets: three[:2],
			Options: method{Occlusion: explaind.OcclusionOptions{Patch: 300, Stride: 300}, Noise: explaind.NoiseOptions{Samples: 2}}}, 6, "explain 1, predict 3, predict 1, 2× explain 1"},
		{"an image larger than a pass", pixels(2000, 750), config{Methods: list{"occlusion"},
			Options: method{Occlusion: explaind.OcclusionOptions{Patch: 1000, Stride: 1000}}}, 2, "explain 1, 2× predict 1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			shape := c.image.Tensor.Shape
			m := metered(int(shape[0]), int(shape[1]))
			models := fakerepo.New(t, map[string]explaind.Model{"m": m})
			bounded := func(passes int) error {
				_, err := service.New(models, service.Options{MaxPasses: passes}).Explain(t.Context(), &service.ExplainRequest{Image: c.image, Config: c.config})
				return err
			}
			if err := bounded(max(c.passes, 1)); err != nil {
				t.Errorf("%d passes are allowed: %v", c.passes, err)
			}
			if got := m.account(); got != c.runs {
				t.Errorf("the model was asked for %s\nwant %s", got, c.runs)
			}
			if c.passes == 0 {
				return
			}
			err := bounded(c.passes - 1)
			if e := explaind.AsError(err); err == nil || e.Code != explaind.InvalidArgument || e.Reason != "TOO_MANY_PASSES" || e.Field != "config" || m.account() != "" {
				t.Errorf("%d passes are allowed: %v", c.passes-1, err)
			}
		})
	}
}

// Ablation-CAM leaves out channels that are zero anyway, Score-CAM those that are flat: green here is both.
func TestIdleChannelsAreNotAskedFor(t *testing.T) {
	m := metered(2, 4)
	s := serviceOf(t, m, service.Options{})
	image := floats(2, 4, 1, 0, 5, 1, 0, 5, 2, 0, 3, 2, 0, 3, 1, 0, 5, 1, 0, 5, 2, 0, 3, 2, 0, 3)
	for method, want := range map[explaind.Method]string{"ablation_cam": "explain 1, from 2", "score_cam": "explain 1, predict 2"} {
		if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: image, Config: service.ExplainConfig{Methods: []explaind.Method{method}}}); err != nil {
			t.Error(err)
		}
		if got := m.account(); got != want {
			t.Errorf("%s: the model was asked for %s, want %s", method, got, want)
		}
	}
}
