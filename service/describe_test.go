package service_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
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
	const lacking = explaind.NeedsGuidedGradients | explaind.NeedsKernel // what the model has at no layer
	ofInput := methodsWithout(lacking, explain.OfInput)
	frozen := methodsWithout(lacking|explaind.NeedsGradients|explaind.NeedsClassWeights|explaind.NeedsHead|explaind.NeedsCrossing, 0)
	features := methodsWithout(lacking, 0)
	if len(ofInput) < 6 || len(frozen) < 8 || len(features) < 19 {
		t.Fatalf("too few methods are left: %v, %v, %v", ofInput, frozen, features)
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
