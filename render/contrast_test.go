package render

import (
	"math"
	"testing"

	"github.com/explaind/explaind"
)

func ramp(n int) *explaind.Heatmap {
	h := explaind.NewHeatmap(1, n)
	for i := range h.Values {
		h.Values[i] = float32(i+1) / float32(n)
	}
	return h
}

func TestContrast(t *testing.T) {
	h := ramp(1000) // 0.001 … 1, in steps of 0.001
	if FromZero.Apply(h) != h {
		t.Error("FromZero makes another map")
	}
	for _, c := range []struct {
		contrast Contrast
		at       int
		want     float64
	}{
		// 0.99 of the values lie below 0.991
		{Clipped, 990, 1}, {Clipped, 494, 0.495 / 0.991}, {Clipped, 999, 1 / 0.991},
		{Stretched, 0, 0}, {Stretched, 999, 1}, {Stretched, 499, (0.5 - 0.001) / 0.999},
	} {
		if got := float64(c.contrast.Apply(h).Values[c.at]); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("contrast %d: value %d is %v, want %v", c.contrast, c.at, got, c.want)
		}
	}
	if h.Values[0] != 0.001 || h.Values[999] != 1 {
		t.Error("the map itself was changed")
	}
}

// What has nothing to stretch is drawn as it is: no division by zero, no colours made of nothing.
func TestContrastOfPoorMaps(t *testing.T) {
	for what, values := range map[string][]float32{
		"zeros": {0, 0, 0}, "one value": {1, 1, 1}, "negative": {-2, -1, 0}, "a single pixel among zeros": append(make([]float32, 500), 1),
	} {
		h := &explaind.Heatmap{Height: 1, Width: len(values), Values: values}
		for _, c := range []Contrast{Clipped, Stretched} {
			for i, v := range c.Apply(h).Values {
				if v != values[i] {
					t.Errorf("%s, contrast %d: value %d became %v", what, c, i, v)
				}
			}
		}
	}
}
