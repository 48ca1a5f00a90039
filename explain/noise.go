package explain

import (
	"math"

	"github.com/explaind/explaind"
)

// noise disturbs copies of an image by normal numbers. Sample i has a generator of its own, seeded by the request's seed
// and i, so that it does not depend on how the samples are put into batches.
type noise struct {
	seed  int64
	sigma float64
}

// noiseOf has the standard deviation level · (max x − min x).
func noiseOf(x *explaind.Tensor, o *explaind.MethodOptions) noise {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range x.Data {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	return noise{o.Seed, float64(noiseLevel(o)) * (hi - lo)}
}

// disturb adds the noise of sample i to x.
func (n noise) disturb(i int, x []float32) {
	explaind.AddGaussian(x, n.sigma, uint64(n.seed), uint64(i))
}
