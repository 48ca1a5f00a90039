package explain

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func TestSupported(t *testing.T) {
	pooled := &explaind.Spec{Head: explaind.Head{PooledLayer: "top"}}
	dense := &explaind.Spec{}
	gradients := []explaind.Method{explaind.MethodGradCAM, explaind.MethodGradCAMPlusPlus, explaind.MethodArticleGradCAM, explaind.MethodArticleGradCAMPlusPlus}
	for _, c := range []struct {
		what  string
		spec  *explaind.Spec
		layer explaind.Layer
		want  []explaind.Method
	}{
		{"pooled convolution", pooled, explaind.Layer{Name: "top", Gradients: true, Kernel: true}, Methods()},
		{"pooled layer without gradient", pooled, explaind.Layer{Name: "top", Reason: "Foo has none"}, []explaind.Method{explaind.MethodCAM}},
		{"earlier layer", pooled, explaind.Layer{Name: "early", Gradients: true}, gradients},
		{"VGG-like head", dense, explaind.Layer{Name: "block5_conv3", Gradients: true}, gradients},
		{"nothing", dense, explaind.Layer{Name: "x"}, nil},
		{"no pooled layer is not a layer without a name", dense, explaind.Layer{Kernel: true}, []explaind.Method{explaind.MethodArticleCAM}},
	} {
		if got := Supported(c.spec, &c.layer); !slices.Equal(got, c.want) {
			t.Errorf("%s: Supported = %v, want %v", c.what, got, c.want)
		}
		for _, m := range Methods() {
			if err := Supports(m, c.spec, &c.layer); (err == nil) != slices.Contains(c.want, m) {
				t.Errorf("%s: Supports(%s) = %v", c.what, m, err)
			}
		}
	}
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
		{explaind.MethodCAM, spec, early, []string{`"top_conv"`, "grad_cam, grad_cam_plus_plus", `"block2_conv"`}},
		{explaind.MethodCAM, &explaind.Spec{}, early, []string{"global average pooling", "grad_cam"}},
		{explaind.MethodGradCAM, spec, blocked, []string{"Frobnicate", "choose another layer"}},
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
