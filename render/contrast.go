package render

import "github.com/explaind/explaind"

// Contrast says which values of a normalised map get the first and the last colour. It is for the eye: the map's values
// stay what they are.
type Contrast int

// The contrasts.
const (
	// FromZero draws 0 and 1 as the first and the last colour.
	FromZero Contrast = iota
	// Clipped draws 0 and the 99th percentile, as the authors of SmoothGrad do: maps of single pixels have a few values so
	// large that all others would be drawn as nothing.
	Clipped
	// Stretched draws the smallest positive value and the largest: for maps of which only differences mean something.
	Stretched
)

// Apply returns the map to be drawn, the same one for FromZero. Values outside 0…1 are drawn like those bounds.
func (c Contrast) Apply(h *explaind.Heatmap) *explaind.Heatmap {
	lo, hi := float32(0), float32(1)
	switch c {
	case Clipped:
		hi = percentile(h.Values)
	case Stretched:
		lo, hi = positives(h.Values)
	}
	if lo == 0 && hi == 1 || !(hi > lo) {
		return h
	}
	out := h.Clone()
	for i, v := range out.Values {
		out.Values[i] = (v - lo) / (hi - lo)
	}
	return out
}

const (
	levels = 1 << 16 // that values are told apart by
	most   = 0.99
)

// percentile is the 99th, of values of which the largest is 1. Where fewer than one in a hundred is positive, it is 1.
func percentile(values []float32) float32 {
	counts := make([]int, levels+1)
	for _, v := range values {
		counts[int(min(max(v, 0), 1)*levels)]++
	}
	seen, wanted := 0, int(most*float64(len(values)))
	for level, n := range counts {
		if seen += n; seen > wanted {
			if level == 0 {
				return 1
			}
			return float32(level) / levels
		}
	}
	return 1
}

// positives are the smallest and the largest of the positive values.
func positives(values []float32) (lo, hi float32) {
	for _, v := range values {
		if v > 0 && (lo == 0 || v < lo) {
			lo = v
		}
		hi = max(hi, v)
	}
	return lo, hi
}
