package main

import (
	"slices"
	"strings"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

func TestWord(t *testing.T) {
	w := word{prefix: "INTERPOLATION_", values: pb.Interpolation_value}
	if got := w.choices(); !slices.Equal(got, []string{"bilinear", "cubic_spline"}) {
		t.Errorf("choices %v", got)
	}
	for _, s := range []string{"cubic_spline", "Cubic-Spline"} {
		if err := w.Set(s); err != nil || w.number != int32(pb.Interpolation_INTERPOLATION_CUBIC_SPLINE) || w.String() != "cubic_spline" {
			t.Errorf("%s: %d %v", s, w.number, err)
		}
	}
	for _, s := range []string{"", "unspecified", "nearest"} {
		if err := w.Set(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestParseMethods(t *testing.T) {
	got, err := parseMethods([]string{"Grad-CAM++", "METHOD_CAM", "article_grad_cam"})
	want := []pb.Method{pb.Method_METHOD_GRAD_CAM_PLUS_PLUS, pb.Method_METHOD_CAM, pb.Method_METHOD_ARTICLE_GRAD_CAM}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v", got, err)
	}
	for name, statistic := range map[string]string{"vargrad": "variance", "Var-Grad": "variance", "square_grad": "square"} {
		_, err := parseMethods([]string{"cam", name})
		if want := "--method smooth_grad --noise-statistic " + statistic; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if name := methodName(pb.Method(999)); name != "999" { // of a newer server
		t.Errorf("an unknown method is called %q", name)
	}
}
