package service_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// A model without layers is explained by the methods of the input; the others say so, and which ones work.
func TestWithoutLayers(t *testing.T) {
	m := fakemodel.New(4, "a", "b", "c")
	whole := serviceOf(t, fakemodel.New(4, "a", "b", "c"), service.Options{})
	m.Spec().Layers, m.Spec().DefaultLayer, m.Spec().Head.PooledLayer = nil, "", ""
	s := serviceOf(t, m, service.Options{})
	config := service.ExplainConfig{
		Methods: methodsWithout(explaind.NeedsGuidedGradients, explain.OfInput),
		Targets: []service.Target{{Class: ptr(1)}, {Rank: ptr(1), Versus: ptr(0)}}, Score: explaind.ScoreProbability, Faithfulness: true,
		Options: explaind.MethodOptions{RISE: explaind.RISEOptions{Masks: 9}, Noise: explaind.NoiseOptions{Samples: 3}},
	}
	image := floats(4, 4, ramp(48)...)
	got, err := s.Explain(t.Context(), &service.ExplainRequest{Image: image, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.Explain(t.Context(), &service.ExplainRequest{Image: image, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range got.Explanations {
		y := want.Explanations[i]
		if x.Layer != "" || x.Method != config.Methods[i%len(config.Methods)] || x.Target != y.Target || !slices.Equal(x.Heatmap.Values, y.Heatmap.Values) || x.RawMax != y.RawMax ||
			x.Faithfulness.Deletion != y.Faithfulness.Deletion {
			t.Errorf("%s of %v at %q is %v, with layers %v", x.Method, x.Target, x.Layer, x.Heatmap, y.Heatmap)
		}
	}
	var names []string
	for _, m := range config.Methods {
		names = append(names, string(m))
	}
	able := strings.Join(names, ", ")
	if !strings.HasPrefix(able, "saliency, gradient_x_input, ") {
		t.Fatalf("methods of the input are %s", able)
	}
	for _, methods := range [][]explaind.Method{nil, {"grad_cam"}, {"saliency", "score_cam"}, {"eigen_cam"}, {"ablation_cam"}} {
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: image, Config: service.ExplainConfig{Methods: methods}})
		e := explaind.AsError(err)
		if err == nil || e.Code != explaind.FailedPrecondition || e.Reason != "METHOD_UNSUPPORTED" || e.Field != "config.methods" || e.Metadata["supported"] != able {
			t.Errorf("%v: %v, %+v", methods, err, e)
		}
	}
}

// ramp are values that all differ.
func ramp(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i*i%97) / 97
	}
	return out
}
