package render

import (
	"fmt"
	"strings"

	"github.com/explaind/explaind"
)

var colormapNames = []string{Jet: "jet", Viridis: "viridis", Turbo: "turbo", Magma: "magma"}

// String is the name that ParseColormap reads.
func (c Colormap) String() string { return nameOf(int(c), "Colormap", colormapNames) }

// ParseColormap reads a colour map's name, in any case. The error is an InvalidArgument that lists the names.
func ParseColormap(s string) (Colormap, error) {
	i, err := parse(s, "UNKNOWN_COLORMAP", "colour map", colormapNames)
	return Colormap(i), err
}

var interpolationNames = []string{Bilinear: "bilinear", CubicSpline: "cubic_spline"}

// String is the name that ParseInterpolation reads.
func (i Interpolation) String() string { return nameOf(int(i), "Interpolation", interpolationNames) }

// ParseInterpolation reads an interpolation's name, in any case, with - or _. The error is an InvalidArgument that lists
// the names.
func ParseInterpolation(s string) (Interpolation, error) {
	i, err := parse(s, "UNKNOWN_INTERPOLATION", "interpolation", interpolationNames)
	return Interpolation(i), err
}

func nameOf(i int, typeName string, names []string) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("%s(%d)", typeName, i)
	}
	return names[i]
}

func parse(s, reason, what string, names []string) (int, error) {
	asked := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "-", "_")
	for i, name := range names {
		if name == asked {
			return i, nil
		}
	}
	return 0, explaind.Errorf(explaind.InvalidArgument, reason, "%s %q is not known; choose among %s", what, s, strings.Join(names, ", "))
}
