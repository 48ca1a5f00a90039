package service_test

import (
	"runtime"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// Each bound lets pass what reaches it and refuses one more, before the model runs.
func TestBounds(t *testing.T) {
	const size = 8 // layers 4×4×3
	targets := func(n int) []service.Target { return make([]service.Target, n) }
	layer := service.Rendering{Resolution: service.ResolutionLayer}
	for _, c := range []struct {
		what    string
		options service.Options
		image   service.Image
		good    service.ExplainConfig
		bad     service.ExplainConfig
	}{
		{"explanations", service.Options{MaxExplanations: 3}, pixels(8, 8), service.ExplainConfig{Targets: targets(3)}, service.ExplainConfig{Targets: targets(4)}},
		{"explanations by product", service.Options{MaxExplanations: 8}, pixels(8, 8),
			service.ExplainConfig{Layers: make([]string, 2), Methods: []explaind.Method{"cam", "grad_cam"}, Targets: targets(2)},
			service.ExplainConfig{Layers: make([]string, 3), Methods: []explaind.Method{"cam", "grad_cam"}, Targets: targets(2)}},
		{"map pixels", service.Options{MaxMapPixels: 3 * 64}, pixels(8, 8), service.ExplainConfig{Targets: targets(3)}, service.ExplainConfig{Targets: targets(4)}},
		{"map pixels at the picture's size", service.Options{MaxMapPixels: 3 * 200}, pixels(10, 20),
			service.ExplainConfig{Targets: targets(3), Rendering: service.Rendering{Resolution: service.ResolutionOriginal}},
			service.ExplainConfig{Targets: targets(4), Rendering: service.Rendering{Resolution: service.ResolutionOriginal}}},
		{"map pixels with a figure", service.Options{MaxMapPixels: 3 * 64}, pixels(8, 8), // a map and two panels a target
			service.ExplainConfig{Rendering: service.Rendering{ComparisonPNG: true}},
			service.ExplainConfig{Targets: targets(2), Rendering: service.Rendering{ComparisonPNG: true}}},
		{"map pixels of overlays at the layer's size", service.Options{MaxMapPixels: 64}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(9), Rendering: layer},
			service.ExplainConfig{Targets: targets(2), Rendering: service.Rendering{Resolution: service.ResolutionLayer, OverlayPNG: true}}},
		{"map pixels of maps of the input at the layer's size", service.Options{MaxMapPixels: 2 * 64}, pixels(8, 8),
			service.ExplainConfig{Methods: []explaind.Method{"occlusion"}, Targets: targets(2), Rendering: layer},
			service.ExplainConfig{Methods: []explaind.Method{"occlusion"}, Targets: targets(3), Rendering: layer}},
		// The image and two gradients for each of three targets, the activations and a gradient for each.
		{"evidence", service.Options{MaxEvidence: 192*(1+2*3) + 48*(1+3)}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(3), Rendering: layer}, service.ExplainConfig{Targets: targets(4), Rendering: layer}},
		{"evidence of two scores", service.Options{MaxEvidence: 192*(1+2*4) + 48*(1+4)}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(2), Methods: []explaind.Method{"grad_cam", "article_grad_cam"}, Rendering: layer},
			service.ExplainConfig{Targets: targets(3), Methods: []explaind.Method{"grad_cam", "article_grad_cam"}, Rendering: layer}},
		{"evidence of two layers", service.Options{MaxEvidence: 192*(1+2*2) + 2*48*(1+2)}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(2), Layers: []string{"", ""}, Rendering: layer},
			service.ExplainConfig{Targets: targets(2), Layers: []string{"", "", ""}, Rendering: layer}},
		{"evidence of six variants", service.Options{MaxEvidence: 6 * (192*(1+2*2) + 48*(1+2))}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(2), Options: explaind.MethodOptions{AugSmooth: true}, Rendering: layer},
			service.ExplainConfig{Targets: targets(3), Options: explaind.MethodOptions{AugSmooth: true}, Rendering: layer}},
		{"evidence of the input alone", service.Options{MaxEvidence: 192 * (1 + 2*3)}, pixels(8, 8),
			service.ExplainConfig{Methods: []explaind.Method{"saliency"}, Targets: targets(3), Layers: []string{"", ""}},
			service.ExplainConfig{Methods: []explaind.Method{"saliency"}, Targets: targets(4), Layers: []string{"", ""}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := fakemodel.New(size, "a", "b")
			s := serviceOf(t, m, c.options)
			if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: c.image, Config: c.good}); err != nil {
				t.Errorf("what reaches the bound: %v", err)
			}
			before := m.Runs()
			_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: c.image, Config: c.bad})
			if e := explaind.AsError(err); err == nil || e.Reason != "TOO_MANY_EXPLANATIONS" || e.Field != "config" || m.Runs() != before {
				t.Errorf("one more: %v, %d runs", err, m.Runs()-before)
			}
		})
	}
}

// The product of three long lists overflows 64 bits to nothing.
func TestCountDoesNotOverflow(t *testing.T) {
	s := serviceOf(t, fakemodel.New(4, "a"), service.Options{})
	_, err := s.NewExplainer(service.Selector{}, &service.ExplainConfig{
		Methods: make([]explaind.Method, 1<<22), Layers: make([]string, 1<<22), Targets: make([]service.Target, 1<<20),
	})
	if reason(err) != "TOO_MANY_EXPLANATIONS" {
		t.Errorf("2⁶⁴ explanations: %v", err)
	}
}

func TestImageBounds(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	m.Spec().Input.Height, m.Spec().Input.Width = 0, 0
	s := serviceOf(t, m, service.Options{MaxInputPixels: 60, Images: imaging.Limits{MaxPixels: 100, MaxBytes: 10}})
	for what, c := range map[string]struct {
		image service.Image
		want  string
		field string
	}{
		"largest input":          {pixels(6, 10), "OK", ""},
		"larger":                 {pixels(61, 1), "INPUT_TOO_LARGE", "image.tensor"},
		"larger than a picture":  {pixels(101, 1), "IMAGE_TOO_LARGE", "image.tensor.shape"},
		"larger FLOAT32":         {floats(61, 1, make([]float32, 183)...), "INPUT_TOO_LARGE", "image.tensor.shape"},
		"too many bytes":         {service.Image{Encoded: make([]byte, 11)}, "IMAGE_TOO_LARGE", "image.encoded"},
		"bytes that are no file": {service.Image{Encoded: make([]byte, 10)}, "UNSUPPORTED_FORMAT", "image.encoded"},
	} {
		_, err := s.Predict(t.Context(), &service.PredictRequest{Image: c.image})
		if reason(err) != c.want || err != nil && explaind.AsError(err).Field != c.field {
			t.Errorf("%s: %v, want %s at %s", what, err, c.want, c.field)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := serviceOf(t, fakemodel.New(4, "a"), service.Options{})
	if s.MaxInFlight() != max(16, 4*runtime.GOMAXPROCS(0)) {
		t.Errorf("MaxInFlight is %d", s.MaxInFlight())
	}
	// 256 explanations pass, one more does not.
	for n, want := range map[int]string{256: "OK", 257: "TOO_MANY_EXPLANATIONS"} {
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4), Config: service.ExplainConfig{Targets: make([]service.Target, n)}})
		if reason(err) != want {
			t.Errorf("%d explanations: %v", n, err)
		}
	}
}
