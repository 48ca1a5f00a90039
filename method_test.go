package explaind

import (
	"strings"
	"testing"
)

var known = []Method{MethodCAM, MethodGradCAM, MethodGradCAMPlusPlus, MethodArticleGradCAM}

func TestParseMethod(t *testing.T) {
	for text, want := range map[string]Method{
		"cam": MethodCAM, "CAM": MethodCAM, " Grad-CAM ": MethodGradCAM, "gradcam": MethodGradCAM, "grad_cam++": MethodGradCAMPlusPlus,
		"Grad-CAM++": MethodGradCAMPlusPlus, "METHOD_GRAD_CAM_PLUS_PLUS": MethodGradCAMPlusPlus, "article-grad-cam": MethodArticleGradCAM,
	} {
		if got, err := ParseMethod(text, known); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "lime", "grad", "-", "cam cam"} {
		_, err := ParseMethod(text, known)
		if err == nil || !strings.Contains(err.Error(), "grad_cam_plus_plus") {
			t.Errorf("%q: %v does not list the methods", text, err)
		}
	}
}

func TestNeeds(t *testing.T) {
	n := NeedsGradients | NeedsProbability
	if !n.Has(NeedsGradients) || n.Has(NeedsKernel) || n.Has(NeedsGradients|NeedsKernel) || !n.Has(0) {
		t.Error("needs are told wrongly")
	}
}

func TestTitles(t *testing.T) {
	for m, want := range map[Method]string{MethodGradCAMPlusPlus: "Grad-CAM++", MethodArticleCAM: "CAM (article)", "new": "new"} {
		if got := m.Title(); got != want {
			t.Errorf("the title of %q is %q", m, got)
		}
	}
}
