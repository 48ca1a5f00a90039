package explain

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func TestSupported(t *testing.T) {
	differentiable := explaind.Input{Gradients: true, Guided: true}
	pooled := &explaind.Spec{Input: differentiable, Head: explaind.Head{PooledLayer: "top"}}
	dense := &explaind.Spec{Input: differentiable}
	smooth := &explaind.Spec{Input: explaind.Input{Gradients: true}}
	blocked := &explaind.Spec{Input: explaind.Input{Reason: "Foo has none"}}
	all := func(but ...explaind.Method) []explaind.Method {
		return slices.DeleteFunc(Methods(), func(m explaind.Method) bool { return slices.Contains(but, m) })
	}
	blackBox := []explaind.Method{explaind.MethodOcclusion, explaind.MethodRISE}
	ofInput := append([]explaind.Method{explaind.MethodSaliency, explaind.MethodGradientXInput, explaind.MethodSmoothGrad,
		explaind.MethodIntegratedGradients, explaind.MethodGuidedBackprop}, blackBox...)
	without := append([]explaind.Method{explaind.MethodEigenCAM, explaind.MethodScoreCAM}, ofInput...)
	guided := []explaind.Method{explaind.MethodGuidedBackprop, explaind.MethodGuidedGradCAM, explaind.MethodGuidedGradCAMPlusPlus}
	for _, c := range []struct {
		what  string
		spec  *explaind.Spec
		layer *explaind.Layer
		want  []explaind.Method
	}{
		{"pooled convolution", pooled, &explaind.Layer{Name: "top", Gradients: true, Kernel: true, Resumable: true}, Methods()},
		{"pooled layer without gradient", pooled, &explaind.Layer{Name: "top", Reason: "Foo has none"}, append([]explaind.Method{explaind.MethodCAM}, without...)},
		{"earlier layer", pooled, &explaind.Layer{Name: "early", Gradients: true, Resumable: true}, all(explaind.MethodCAM, explaind.MethodArticleCAM)},
		{"VGG-like head", dense, &explaind.Layer{Name: "block5_conv3", Gradients: true}, all(explaind.MethodCAM, explaind.MethodArticleCAM, explaind.MethodAblationCAM)},
		{"no rectifiers", smooth, &explaind.Layer{Gradients: true, Resumable: true, Kernel: true}, all(append(guided, explaind.MethodCAM)...)},
		{"nothing", dense, &explaind.Layer{Name: "x"}, without},
		{"no gradient at the input", blocked, &explaind.Layer{Gradients: true}, all(append([]explaind.Method{explaind.MethodCAM, explaind.MethodArticleCAM,
			explaind.MethodAblationCAM, explaind.MethodGuidedGradCAM, explaind.MethodGuidedGradCAMPlusPlus}, ofInput[:5]...)...)},
		{"no layer", dense, nil, ofInput},
		{"no layer and no gradient", blocked, nil, blackBox},
		{"no pooled layer is not a layer without a name", blocked, &explaind.Layer{Kernel: true},
			[]explaind.Method{explaind.MethodEigenCAM, explaind.MethodScoreCAM, explaind.MethodOcclusion, explaind.MethodRISE, explaind.MethodArticleCAM}},
	} {
		got := Supported(c.spec, c.layer)
		if !sameMethods(got, c.want) {
			t.Errorf("%s: Supported = %v, want %v", c.what, got, c.want)
		}
		for _, m := range Methods() {
			if err := Supports(m, c.spec, c.layer); (err == nil) != slices.Contains(c.want, m) {
				t.Errorf("%s: Supports(%s) = %v", c.what, m, err)
			}
		}
	}
}

// sameMethods compares, whatever the order.
func sameMethods(a, b []explaind.Method) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(m explaind.Method) bool { return !slices.Contains(b, m) })
}

func TestSupportsSaysWhatWorks(t *testing.T) {
	spec := &explaind.Spec{Head: explaind.Head{PooledLayer: "top_conv"}}
	early := &explaind.Layer{Name: "block2_conv", Gradients: true}
	blocked := &explaind.Layer{Name: "stem", Reason: "operation Frobnicate has no gradient"}
	for _, c := range []struct {
		method explaind.Method
		spec   *explaind.Spec
		layer  *explaind.Layer
		says   []string
	}{
		{explaind.MethodCAM, spec, early, []string{`"top_conv"`, "grad_cam, grad_cam_plus_plus, hires_cam", `"block2_conv"`}},
		{explaind.MethodCAM, &explaind.Spec{}, early, []string{"global average pooling", "grad_cam"}},
		{explaind.MethodGradCAM, spec, blocked, []string{"Frobnicate", "methods that work here: eigen_cam"}},
		{explaind.MethodArticleCAM, spec, early, []string{"kernel", "article_grad_cam"}},
	} {
		err := Supports(c.method, c.spec, c.layer)
		var e *explaind.Error
		if !errors.As(err, &e) || e.Code != explaind.FailedPrecondition || e.Reason != "METHOD_UNSUPPORTED" {
			t.Errorf("Supports(%s, %s) = %v", c.method, c.layer.Name, err)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(e.Message, s) {
				t.Errorf("%q does not say %q", e.Message, s)
			}
		}
	}
	var e *explaind.Error
	if err := Supports("lime", spec, early); !errors.As(err, &e) || e.Reason != "UNKNOWN_METHOD" {
		t.Errorf("Supports of an unknown method = %v", err)
	}
}
