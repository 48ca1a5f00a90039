package explaind

import (
	"slices"
	"strings"
	"testing"
)

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return AsError(err).Reason
}

func TestClassByLabel(t *testing.T) {
	s := &Spec{Labels: []string{"tabby", "crane", "Crane", "tiger cat"}}
	for label, want := range map[string]struct {
		class  int
		reason string
	}{
		"tabby":     {0, ""},
		"TIGER CAT": {3, ""},
		"crane":     {0, "AMBIGUOUS_LABEL"},
		"tiger":     {0, "LABEL_NOT_FOUND"},
	} {
		class, err := s.ClassByLabel(label)
		if reasonOf(err) != want.reason || class != want.class {
			t.Errorf("%q: class %d, %v", label, class, err)
		}
	}
	if _, err := new(Spec).ClassByLabel("tabby"); reasonOf(err) != "NO_LABELS" {
		t.Errorf("without labels: %v", err)
	}
	if _, err := s.ClassByLabel("crane"); !strings.Contains(err.Error(), "[1 2]") {
		t.Errorf("the classes are not named: %v", err)
	}
}

func TestFindLayer(t *testing.T) {
	s := &Spec{DefaultLayer: "top/relu", Layers: []Layer{
		{Name: "block1_conv1", Aliases: []string{"vgg/block1_conv1_1/Relu"}},
		{Name: "a/conv"},
		{Name: "b/conv"},
		{Name: "top/relu"},
	}}
	for name, want := range map[string]string{
		"":                          "top/relu",
		"block1_conv1":              "block1_conv1",
		"vgg/block1_conv1_1/Relu":   "block1_conv1",
		"vgg/block1_conv1_1/Relu:0": "block1_conv1",
		"block1_conv1_1/Relu":       "block1_conv1",
		"relu":                      "top/relu",
		"conv":                      "AMBIGUOUS_LAYER",
		"onv":                       "LAYER_NOT_FOUND",
		"block1_conv2":              "LAYER_NOT_FOUND",
	} {
		layer, err := s.FindLayer(name)
		got := reasonOf(err)
		if err == nil {
			got = layer.Name
		}
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if _, err := new(Spec).FindLayer(""); reasonOf(err) != "NO_EXPLAINABLE_LAYER" {
		t.Errorf("a model without layers: %v", err)
	}
}

func TestLabel(t *testing.T) {
	s := &Spec{Labels: []string{"tabby"}}
	for class, want := range map[int]string{0: "tabby", 1: "class 1", -1: "class -1"} {
		if got := s.Label(class); got != want {
			t.Errorf("label of %d is %q, want %q", class, got, want)
		}
	}
}

func TestTopK(t *testing.T) {
	scores := []float32{.1, .4, .4, .05}
	for k, want := range map[int][]int{0: {}, 1: {1}, 3: {1, 2, 0}, 9: {1, 2, 0, 3}} {
		if got := TopK(scores, k); !slices.Equal(got, want) {
			t.Errorf("top %d of %v is %v, want %v", k, scores, got, want)
		}
	}
}

func TestHandleReleasesOnce(t *testing.T) {
	released := 0
	h := NewHandle(nil, ModelRef{}, func() { released++ })
	h.Release()
	h.Release()
	if released != 1 {
		t.Errorf("released %d times", released)
	}
}

func TestReady(t *testing.T) {
	s := ModelStatus{Versions: []VersionStatus{{State: ModelFailed}, {State: ModelLoading}}}
	if s.Ready() {
		t.Error("ready without a version that is")
	}
	s.Versions = append(s.Versions, VersionStatus{State: ModelReady})
	if !s.Ready() {
		t.Error("not ready although a version is")
	}
}
