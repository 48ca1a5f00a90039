package explain

import (
	"context"
	"math"

	"github.com/explaind/explaind"
)

// occlusion covers the image square by square with a baseline, and maps how much the score drops:
//
//	M_ij = mean over the squares that cover ij of S(x) − S(x with the square covered)
//
// Squares stand a stride apart, the last ones at the border; what lies between them, if the stride is larger than the patch,
// stays 0. The map is negative where the image speaks against the class.
//
// Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2; overlaps are
// averaged, as in the library Captum.
func occlusion(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, false, 0); err != nil {
		return nil, err
	}
	x := q.image()
	baseline, err := q.Baseline(q.Options.Occlusion.Baseline)
	if err != nil {
		return nil, err
	}
	height, width, channels := x.Shape[0], x.Shape[1], x.Shape[2]
	w := windowsOf(q.Options, height, width)
	lines := func(i int, each func(from, to int)) { // the pixels of square i, row by row
		top, left := w.place(i)
		for y := top; y < top+w.height; y++ {
			each(y*width+left, y*width+left+w.width)
		}
	}
	drops, counts := make([][]float64, len(q.Evidence)), make([]float64, height*width)
	for t := range drops {
		drops[t] = make([]float64, height*width)
	}
	cover := func(i int, at []float32) {
		lines(i, func(from, to int) { copy(at[from*channels:to*channels], baseline.Data[from*channels:to*channels]) })
	}
	err = q.variants(ctx, w.count(), cover, func(i, t int, score float64) {
		drop := float64(q.Evidence[t].Score) - score
		lines(i, func(from, to int) {
			for p := from; p < to; p++ {
				drops[t][p] += drop
				if t == 0 {
					counts[p]++
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	maps := q.maps(height, width)
	for t, h := range maps {
		for p := range h.Values {
			if counts[p] > 0 {
				h.Values[p] = float32(drops[t][p] / counts[p])
			}
		}
	}
	return answers(maps), nil
}

// windows are the squares: the first rows and columns of each.
type windows struct {
	height, width int
	tops, lefts   []int
}

func windowsOf(o *explaind.MethodOptions, height, width int) windows {
	patch := o.Occlusion.Patch
	if patch == 0 {
		patch = max(1, int(math.Round(float64(min(height, width))/7)))
	}
	stride := o.Occlusion.Stride
	if stride == 0 {
		stride = max(1, patch/2)
	}
	w := windows{height: min(patch, height), width: min(patch, width)}
	w.tops, w.lefts = starts(height, w.height, stride), starts(width, w.width, stride)
	return w
}

// starts are 0, stride, 2·stride, … as long as there is more to cover, and the last place that fits.
func starts(size, patch, stride int) []int {
	var list []int
	for at := 0; at+patch < size; at += stride {
		list = append(list, at)
	}
	return append(list, size-patch)
}

func (w windows) count() int { return len(w.tops) * len(w.lefts) }

func (w windows) place(i int) (top, left int) {
	return w.tops[i/len(w.lefts)], w.lefts[i%len(w.lefts)]
}
