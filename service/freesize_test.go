package service_test

import (
	"context"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

// freeSize is a model of any size, whose layers have a stride of 2 and 3 channels.
func freeSize() *fakemodel.Model {
	m := fakemodel.New(4, "a", "b")
	s := m.Spec()
	s.Input.Height, s.Input.Width = 0, 0
	for i := range s.Layers {
		s.Layers[i].Height, s.Layers[i].Width, s.Layers[i].Stride = 0, 0, 2
	}
	return m
}

// What a layer of a model of any size costs follows from the picture and the layer's stride, rounded up; without a stride, the
// layer might be as large as the picture.
func TestCostOfFreeSize(t *testing.T) {
	for _, c := range []struct {
		height, width, stride, targets int
		evidence                       int // the picture and two gradients of it for each target, the activations and a gradient for each
	}{
		{8, 8, 2, 1, 192*3 + 48*2},
		{8, 8, 2, 3, 192*7 + 48*4},
		{9, 7, 2, 1, 189*3 + 5*4*3*2},
		{10, 12, 4, 1, 360*3 + 3*3*3*2},
		{8, 8, 100, 1, 192*3 + 3*2},
		{8, 8, 0, 1, 192*3 + 192*2},
	} {
		m := freeSize()
		for i := range m.Spec().Layers {
			m.Spec().Layers[i].Stride = c.stride
		}
		models := fakerepo.New(t, map[string]explaind.Model{"m": m})
		ask := func(most int) error {
			_, err := service.New(models, service.Options{MaxEvidence: most}).Explain(t.Context(), &service.ExplainRequest{
				Image: pixels(c.height, c.width), Config: service.ExplainConfig{Targets: make([]service.Target, c.targets)}})
			return err
		}
		if err := ask(c.evidence); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		runs := m.Runs()
		if err := ask(c.evidence - 1); reason(err) != "TOO_MANY_EXPLANATIONS" || m.Runs() != runs {
			t.Errorf("%+v, and one less is allowed: %v", c, err)
		}
	}
}

// refusing is a model that fails on pictures, as one of any size does on those that are too small for its layers.
type refusing struct{ *fakemodel.Model }

func refusal() error {
	return explaind.Errorf(explaind.InvalidArgument, "INPUT_SIZE_REFUSED", "the model failed on 1×40 pixels; send a larger one")
}

func (refusing) Predict(context.Context, *explaind.Tensor) (*explaind.Prediction, error) {
	return nil, refusal()
}

func (refusing) PredictOutputs(context.Context, *explaind.Tensor) (*explaind.Prediction, error) {
	return nil, refusal()
}

func (refusing) Explain(context.Context, *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	return nil, refusal()
}

// The image is what a model refuses, whichever way it is asked about it.
func TestRefusedSizeIsTheImages(t *testing.T) {
	s := serviceOf(t, refusing{freeSize()}, service.Options{})
	image := pixels(40, 1)
	explain := func(config service.ExplainConfig) error {
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: image, Config: config})
		return err
	}
	predict := func(config service.PredictConfig) error {
		_, err := s.Predict(t.Context(), &service.PredictRequest{Image: image, Config: config})
		return err
	}
	for what, err := range map[string]error{
		"explain": explain(service.ExplainConfig{}), "variants": explain(service.ExplainConfig{Options: explaind.MethodOptions{AugSmooth: true}}),
		"several targets": explain(service.ExplainConfig{Targets: make([]service.Target, 3)}),
		"of the input":    explain(service.ExplainConfig{Methods: []explaind.Method{"occlusion"}}),
		"predict":         predict(service.PredictConfig{}), "raw outputs": predict(service.PredictConfig{RawOutputs: true}),
	} {
		e := explaind.AsError(err)
		if err == nil || e.Code != explaind.InvalidArgument || e.Reason != "INPUT_SIZE_REFUSED" || e.Field != "image" || e.Message != explaind.AsError(refusal()).Message {
			t.Errorf("%s: %v, field %q", what, err, e.Field)
		}
	}
}
