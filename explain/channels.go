package explain

import (
	"math"

	"github.com/explaind/explaind"
)

// channelSums is Σ_ij x^k_ij for every channel k of x [H, W, C].
func channelSums(x *explaind.Tensor) []float64 {
	channels := x.Shape[2]
	sums := make([]float64, channels)
	for at := 0; at < len(x.Data); at += channels {
		for k, v := range x.Data[at : at+channels] {
			sums[k] += float64(v)
		}
	}
	return sums
}

// weightedSum is Σ_k w_k A^k_ij, the map that every method of this package ends in.
func weightedSum(weights []float64, a *explaind.Tensor) *explaind.Heatmap {
	h := explaind.NewHeatmap(a.Shape[0], a.Shape[1])
	channels := len(weights)
	for i := range h.Values {
		h.Values[i] = float32(dot(weights, a.Data[i*channels:(i+1)*channels]))
	}
	return h
}

// dot keeps four sums, because one alone would wait for its own last addition at every step.
func dot(w []float64, a []float32) float64 {
	var s0, s1, s2, s3 float64
	a = a[:len(w)]
	k := 0
	for ; k+4 <= len(w); k += 4 {
		s0 += w[k] * float64(a[k])
		s1 += w[k+1] * float64(a[k+1])
		s2 += w[k+2] * float64(a[k+2])
		s3 += w[k+3] * float64(a[k+3])
	}
	for ; k < len(w); k++ {
		s0 += w[k] * float64(a[k])
	}
	return (s0 + s1) + (s2 + s3)
}

// rectify sets negative values to zero, in place, but keeps −Inf (and NaN), which a plain maximum with 0 would hide.
func rectify(h *explaind.Heatmap) *explaind.Heatmap {
	for i, v := range h.Values {
		if v < 0 && !math.IsInf(float64(v), -1) {
			h.Values[i] = 0
		}
	}
	return h
}

// positive is ReLU(g), but NaN for an infinite g: a network that overflowed has said nothing about this position. There is
// no branch in it, since the signs of gradients cannot be predicted.
func positive(g float32) float64 {
	bits := math.Float32bits(g)
	rectified := math.Float32frombits(bits &^ uint32(int32(bits)>>31)) // 0 where the sign bit is set
	return float64(rectified) + float64(g-g)                           // g − g is 0 for every finite g and NaN for the others
}
