package imaging

import (
	"math"

	"github.com/explaind/explaind"
)

// The Gaussian of the insertion metric: Petsiuk, Das and Saenko, RISE, BMVC 2018, in the authors' code.
const (
	blurRadius = 5
	blurSigma  = 5
)

// Blur is x [H, W, C] under a Gaussian of 11×11 pixels with a standard deviation of 5, its border pixels repeated
// outwards.
func Blur(x *explaind.Tensor) *explaind.Tensor {
	var kernel [2*blurRadius + 1]float64
	sum := 0.0
	for i := range kernel {
		d := float64(i - blurRadius)
		kernel[i] = math.Exp(-d * d / (2 * blurSigma * blurSigma))
		sum += kernel[i]
	}
	height, width, channels := x.Shape[0], x.Shape[1], x.Shape[2]
	// along blurs lines of n numbers which stand step apart, and begin at from.
	along := func(in, out []float32, from, step, n int) {
		for i := range n {
			v := 0.0
			for k, w := range kernel {
				at := min(max(i+k-blurRadius, 0), n-1)
				v += w * float64(in[from+at*step])
			}
			out[from+i*step] = float32(v / sum)
		}
	}
	across, both := explaind.NewTensor(x.Shape...), explaind.NewTensor(x.Shape...)
	for y := range height {
		for c := range channels {
			along(x.Data, across.Data, y*width*channels+c, channels, width)
		}
	}
	for i := range width * channels {
		along(across.Data, both.Data, i, width*channels, height)
	}
	return both
}
