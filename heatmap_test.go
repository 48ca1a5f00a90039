package explaind

import (
	"math"
	"slices"
	"testing"
)

func TestNormalize(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		values, want []float32
		flags        []Flag
	}{
		"largest becomes 1":        {[]float32{0, 1, 4, 2}, []float32{0, .25, 1, .5}, nil},
		"negative values stay":     {[]float32{-2, 0, 4, 1}, []float32{-.5, 0, 1, .25}, nil},
		"all zero":                 {[]float32{0, 0, 0, 0}, []float32{0, 0, 0, 0}, []Flag{FlagFlat, FlagAllNonPositive}},
		"all negative":             {[]float32{-1, -2, -3, -4}, []float32{0, 0, 0, 0}, []Flag{FlagAllNonPositive}},
		"flat":                     {[]float32{3, 3, 3, 3}, []float32{1, 1, 1, 1}, []Flag{FlagFlat}},
		"NaN and infinity are out": {[]float32{nan, 2, inf, 1}, []float32{0, 1, 0, .5}, []Flag{FlagNonFinite}},
		"nothing but NaN":          {[]float32{nan, nan, nan, nan}, []float32{0, 0, 0, 0}, []Flag{FlagNonFinite, FlagFlat, FlagAllNonPositive}},
		"tiny values":              {[]float32{1e-45, 0, 0, 0}, []float32{1, 0, 0, 0}, nil},
	} {
		h := &Heatmap{Height: 2, Width: 2, Values: slices.Clone(c.values)}
		if flags := h.Normalize(); !slices.Equal(flags, c.flags) || !slices.Equal(h.Values, c.want) {
			t.Errorf("%s: %v with flags %v, want %v with %v", name, h.Values, flags, c.want, c.flags)
		}
	}
}

func TestRange(t *testing.T) {
	h := &Heatmap{Height: 1, Width: 4, Values: []float32{float32(math.Inf(-1)), -2, 7, float32(math.NaN())}}
	if lo, hi := h.Range(); lo != -2 || hi != 7 {
		t.Errorf("range is %v to %v", lo, hi)
	}
	if lo, hi := new(Heatmap).Range(); lo != 0 || hi != 0 {
		t.Errorf("an empty map ranges from %v to %v", lo, hi)
	}
}

func TestReLUAndClone(t *testing.T) {
	h := NewHeatmap(1, 3)
	copy(h.Values, []float32{-1, 0, 2})
	rectified := h.Clone().ReLU()
	if !slices.Equal(rectified.Values, []float32{0, 0, 2}) || h.Values[0] != -1 {
		t.Errorf("got %v, and the original %v", rectified.Values, h.Values)
	}
}

// A signed map whose maximum is tiny beside its minimum would leave float32.
func TestNormalizeOverflow(t *testing.T) {
	h := &Heatmap{Height: 1, Width: 3, Values: []float32{-1e30, 0, 1e-30}}
	flags := h.Normalize()
	if h.Values[0] != -math.MaxFloat32 || h.Values[2] != 1 || !slices.Equal(flags, []Flag{FlagNonFinite}) {
		t.Errorf("got %v, %v", h.Values, flags)
	}
}
