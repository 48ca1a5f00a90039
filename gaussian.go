package explaind

import (
	"math"
	"math/rand/v2"
)

// AddGaussian adds numbers of N(0, sigma²) to the values, the same ones for the same seed and stream: Box and Muller's
// pairs
//
//	r = √(−2 ln(1−u1)),  r cos 2πu2,  r sin 2πu2
//
// of successive uniform numbers u1, u2 in [0, 1), each of them the lower 53 bits of a number of PCG-DXSM, over 2^53. Any
// language can draw them again.
func AddGaussian(values []float32, sigma float64, seed, stream uint64) {
	r := rand.New(rand.NewPCG(seed, stream))
	for i := 0; i < len(values); i += 2 {
		radius := sigma * math.Sqrt(-2*math.Log(1-r.Float64()))
		sin, cos := math.Sincos(2 * math.Pi * r.Float64())
		values[i] += float32(radius * cos)
		if i+1 < len(values) {
			values[i+1] += float32(radius * sin)
		}
	}
}
