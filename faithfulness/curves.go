package faithfulness

import "github.com/explaind/explaind"

// steps is into how many equal parts the pixels are divided for the curves.
const steps = 20

// deletions are the pictures of the deletion curve after its first, which is x itself: step i has the i/20 most relevant
// pixels set to zero, in the model's own units and in all channels.
//
// Source: Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018; their
// published code goes in steps of one row's number of pixels.
func deletions(x *explaind.Tensor, r ranking) []pass {
	passes := make([]pass, steps)
	for i := range passes {
		kept := r.order[fraction(len(r.order), i+1, steps):]
		passes[i] = func(out []float32) { copyPixels(out, x, kept) }
	}
	return passes
}

// insertions are the pictures of the insertion curve before its last, which is x itself: step i has the i/20 most relevant
// pixels of x in the blurred picture.
//
// Source: as for deletions.
func insertions(x, blurred *explaind.Tensor, r ranking) []pass {
	passes := make([]pass, steps)
	for i := range passes {
		inserted := r.order[:fraction(len(r.order), i, steps)]
		passes[i] = func(out []float32) {
			copy(out, blurred.Data)
			copyPixels(out, x, inserted)
		}
	}
	return passes
}

func copyPixels(out []float32, x *explaind.Tensor, pixels []int) {
	channels := x.Shape[2]
	for _, i := range pixels {
		copy(out[i*channels:(i+1)*channels], x.Data[i*channels:])
	}
}

// area is that under a curve over 0…1, by trapezoids of equal width.
func area(curve []float32) float32 {
	last := len(curve) - 1
	sum := (float64(curve[0]) + float64(curve[last])) / 2
	for _, p := range curve[1:last] {
		sum += float64(p)
	}
	return float32(sum / float64(last))
}
