package explaind

import (
	"math"
	"slices"
)

// Heatmap is one map of relevance, Height×Width values in row-major order. Before Normalize the values are in the
// method's own unit; afterwards the largest is 1.
type Heatmap struct {
	Height, Width int
	Values        []float32
}

// NewHeatmap returns a map of zeros.
func NewHeatmap(height, width int) *Heatmap {
	return &Heatmap{Height: height, Width: width, Values: make([]float32, height*width)}
}

// Range is the smallest and the largest finite value; 0, 0 if there is none.
func (h *Heatmap) Range() (lo, hi float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range h.Values {
		if !Finite(v) {
			continue
		}
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	if lo > hi {
		return 0, 0
	}
	return lo, hi
}

// Finite is false for NaN and infinities, whose difference from themselves is NaN.
func Finite(v float32) bool { return v-v == 0 }

// ReLU sets negative values to zero, in place.
func (h *Heatmap) ReLU() *Heatmap {
	for i, v := range h.Values {
		h.Values[i] = max(v, 0)
	}
	return h
}

// Normalize divides by the largest value, in place, and tells what a reader of the map has to know:
// non-finite values are set to zero, and quotients beyond float32 to its bound (FlagNonFinite), a map without a positive value becomes all zero
// (FlagAllNonPositive), and a map of one single value is left to its own (FlagFlat).
func (h *Heatmap) Normalize() []Flag {
	var flags []Flag
	if h.dropNonFinite() {
		flags = append(flags, FlagNonFinite)
	}
	lo, hi := h.Range()
	if lo == hi {
		flags = append(flags, FlagFlat)
	}
	if hi <= 0 {
		clear(h.Values)
		return append(flags, FlagAllNonPositive)
	}
	overflowed := false
	for i, v := range h.Values {
		if h.Values[i] = v / hi; math.IsInf(float64(h.Values[i]), -1) {
			h.Values[i], overflowed = -math.MaxFloat32, true
		}
	}
	if overflowed && !slices.Contains(flags, FlagNonFinite) {
		flags = append(flags, FlagNonFinite)
	}
	return flags
}

func (h *Heatmap) dropNonFinite() (found bool) {
	for i, v := range h.Values {
		if !Finite(v) {
			h.Values[i], found = 0, true
		}
	}
	return found
}

// Clone returns a copy that shares nothing.
func (h *Heatmap) Clone() *Heatmap {
	return &Heatmap{Height: h.Height, Width: h.Width, Values: append([]float32(nil), h.Values...)}
}

// Flag tells something about a heatmap that its picture alone would hide.
type Flag int

// The flags of a heatmap.
const (
	FlagAllNonPositive   Flag = iota + 1 // no position speaks for the target; the map is all zero
	FlagFlat                             // every position has the same value
	FlagSaturatedScore                   // the probability is so close to 0 or 1 that its gradient has lost its digits
	FlagNonFinite                        // NaN or infinity came out of the model or the formula and was set to zero
	FlagZeroAlphaChannel                 // ARTICLE Grad-CAM++: a channel's α sum to zero, its weight was taken as 0
	FlagGuardedPole                      // Grad-CAM++ family, XGrad-CAM: a denominator came too close to zero somewhere; what it divides was taken as 0
)
