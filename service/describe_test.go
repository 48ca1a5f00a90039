package service_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

func TestDescribe(t *testing.T) {
	repo := fakerepo.New(t, map[string]explaind.Model{"m": fakemodel.New(4, "a"), "n": nil})
	s := service.New(repo, service.Options{})
	d, err := s.Describe(service.Selector{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	ofInput := []explaind.Method{"saliency", "gradient_x_input", "smooth_grad", "integrated_gradients", "occlusion", "rise"}
	frozen := []explaind.Method{"eigen_cam", "score_cam", "saliency", "gradient_x_input", "smooth_grad", "integrated_gradients", "occlusion", "rise"}
	features := []explaind.Method{
		"cam", "grad_cam", "grad_cam_plus_plus", "hires_cam", "xgrad_cam", "layer_cam", "eigen_cam", "eigen_grad_cam", "score_cam", "ablation_cam",
		"saliency", "gradient_x_input", "smooth_grad", "integrated_gradients", "smooth_grad_cam_plus_plus", "occlusion", "rise",
		"article_grad_cam", "article_grad_cam_plus_plus",
	}
	if d.Ref.Name != "m" || d.Ref.Version != 1 || !reflect.DeepEqual(d.Methods, [][]explaind.Method{frozen, features}) || !slices.Equal(d.OfInput, ofInput) {
		t.Errorf("description is %+v", d)
	}
	if len(d.Versions) != 1 || d.Versions[0].State != explaind.ModelReady {
		t.Errorf("versions are %+v", d.Versions)
	}
	if _, err := s.Describe(service.Selector{Model: "n"}); reason(err) != "MODEL_FAILED" {
		t.Errorf("failed model: %v", err)
	}
	if list := s.List(); len(list) != 2 || list[0].Name != "m" || list[1].Versions[0].State != explaind.ModelFailed {
		t.Errorf("list is %+v", list)
	}
}
