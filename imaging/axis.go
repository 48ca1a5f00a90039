package imaging

import (
	"math"

	"github.com/explaind/explaind"
)

// axis says of which source pixels each target pixel is made, along one dimension. Target i is the sum of
// weights[start[i]:start[i+1]] times the source pixels from first[i] on. The weights of a target add up to 1.
//
// Positions are computed in float32, as TensorFlow does: at the far end of a large photo its rounding moves a sample by
// up to some 10⁻⁴ of a pixel, which is more than the whole rest differs.
type axis struct {
	first   []int
	start   []int
	weights []float32
	widest  int // most source pixels of one target
}

func newAxis(from, to int, how explaind.Resize) *axis {
	a := &axis{first: make([]int, 0, to), start: make([]int, 1, to+1)}
	scale := float32(from) / float32(to)
	for i := range to {
		switch {
		case from == to: // every method is then the identity
			a.add(i, 1)
		case how == explaind.ResizeBicubic:
			a.bicubic(i, from, scale)
		case how == explaind.ResizeArea:
			a.area(i, from, scale)
		default:
			a.bilinear(i, from, scale)
		}
	}
	return a
}

func (a *axis) add(first int, weights ...float32) {
	a.first = append(a.first, first)
	a.weights = append(a.weights, weights...)
	a.start = append(a.start, len(a.weights))
	a.widest = max(a.widest, len(weights))
}

// centre is where the middle of target i lies in the source, counted from the middle of its first pixel
// (TensorFlow's HalfPixelScaler).
func centre(i int, scale float32) float32 { return float32((float32(i)+0.5)*scale) - 0.5 }

// bilinear is compute_interpolation_weights of tensorflow/core/kernels/image/resize_bilinear_op.cc.
func (a *axis) bilinear(i, from int, scale float32) {
	at := centre(i, scale)
	floor := float32(math.Floor(float64(at)))
	lower := max(int(floor), 0)
	upper := min(int(math.Ceil(float64(at))), from-1)
	if upper <= lower {
		a.add(min(lower, from-1), 1)
		return
	}
	a.add(lower, 1-(at-floor), at-floor)
}

// bicubic is GetWeightsAndIndices of tensorflow/core/kernels/image/resize_bicubic_op.cc with half-pixel centres: Keys'
// kernel with A = −½ read from a table of 1024 steps. Source pixels that do not exist weigh nothing, and the rest is
// scaled to add up to 1.
func (a *axis) bicubic(i, from int, scale float32) {
	at := min(float64(centre(i, scale)), float64(from)-0.5) // float32 rounds sides beyond 2²³ to more
	floor := math.Floor(at)
	const steps = 1024
	t := math.RoundToEven((at-floor)*steps) / steps
	kernel := [4]float64{keysFar(1 + t), keysNear(t), keysNear(1 - t), keysFar(2 - t)}
	first := int(floor) - 1
	low, high := max(0, -first), min(4, from-first)
	var sum float64
	for _, w := range kernel[low:high] {
		sum += w
	}
	var weights [4]float32
	for k := low; k < high; k++ {
		weights[k] = float32(kernel[k] / sum)
	}
	a.add(first+low, weights[low:high]...)
}

// keysNear and keysFar are Keys' cubic convolution kernel for |x| up to 1 and from 1 to 2, A = −½ (R. Keys, "Cubic
// convolution interpolation for digital image processing", 1981, eq. 15).
func keysNear(x float64) float64 { return (1.5*x-2.5)*x*x + 1 }
func keysFar(x float64) float64  { return ((-0.5*x+2.5)*x-4)*x + 2 }

// area is ResizeAreaOp of tensorflow/core/kernels/image/resize_area_op.cc: each source pixel weighs as much as of it
// lies in the target. The end may round to just beyond the last pixel, which then counts for that piece too.
func (a *axis) area(i, from int, scale float32) {
	begin, end := float32(i)*scale, float32(i+1)*scale
	first := min(int(begin), from-1)
	last := max(int(math.Ceil(float64(end))), first+1)
	a.first = append(a.first, first)
	for p := first; p < last; p++ {
		w := overlap(float32(p), begin, end, scale) / scale
		if p < from {
			a.weights = append(a.weights, w)
		} else {
			a.weights[len(a.weights)-1] += w
		}
	}
	a.start = append(a.start, len(a.weights))
	a.widest = max(a.widest, min(last, from)-first)
}

// overlap is how much of the pixel from p to p+1 lies between begin and end, which are size apart. Each case loses as
// few digits as TensorFlow does.
func overlap(p, begin, end, size float32) float32 {
	switch {
	case p < begin && p+1 > end:
		return size
	case p < begin:
		return p + 1 - begin
	case p+1 > end:
		return end - p
	default:
		return 1
	}
}
