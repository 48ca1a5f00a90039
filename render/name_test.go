package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func TestNames(t *testing.T) {
	for c, name := range map[Colormap]string{Jet: "jet", Viridis: "viridis", Turbo: "turbo", Magma: "magma"} {
		for _, typed := range []string{name, strings.ToUpper(name), " " + name + " "} {
			if got, err := ParseColormap(typed); err != nil || got != c || c.String() != name {
				t.Errorf("%q is %v, %v; %d is %q", typed, got, err, c, c)
			}
		}
	}
	for i, names := range map[Interpolation][]string{Bilinear: {"bilinear", "Bilinear"}, CubicSpline: {"cubic_spline", "cubic-spline", "CUBIC_SPLINE"}} {
		for _, typed := range names {
			if got, err := ParseInterpolation(typed); err != nil || got != i || i.String() != names[0] {
				t.Errorf("%q is %v, %v; %d is %q", typed, got, err, i, i)
			}
		}
	}
	if Colormap(9).String() != "Colormap(9)" || Interpolation(-1).String() != "Interpolation(-1)" {
		t.Errorf("unknown ones are %q and %q", Colormap(9), Interpolation(-1))
	}
}

func TestUnknownNamesListTheKnown(t *testing.T) {
	_, colormap := ParseColormap("rainbow")
	_, interpolation := ParseInterpolation("")
	for _, c := range []struct {
		err    error
		reason string
		names  []string
	}{
		{colormap, "UNKNOWN_COLORMAP", []string{"rainbow", "jet", "viridis", "turbo", "magma"}},
		{interpolation, "UNKNOWN_INTERPOLATION", []string{"bilinear", "cubic_spline"}},
	} {
		var typed *explaind.Error
		if !errors.As(c.err, &typed) || typed.Code != explaind.InvalidArgument || typed.Reason != c.reason {
			t.Fatalf("got %v, want %s", c.err, c.reason)
		}
		for _, name := range c.names {
			if !strings.Contains(typed.Message, name) {
				t.Errorf("%q does not say %q", typed.Message, name)
			}
		}
	}
}
