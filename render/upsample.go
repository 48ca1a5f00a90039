// Package render makes pictures out of heatmaps: it grows a map to the size of a picture, colours it, lays it over the
// picture, puts panels together to one figure and encodes PNG. It is free of models, methods, files and requests, and
// whoever calls it bounds the sizes of maps that are asked for. Every function may be called by many goroutines at once.
package render

import (
	"image"
	"math"

	"github.com/explaind/explaind"
)

// Interpolation is how a map is read between its samples. A value that is none of those below means Bilinear.
type Interpolation int

// The interpolations.
const (
	// Bilinear has half-pixel centres and no antialiasing, as tf.image.resize does it: the map's border samples lie half
	// a cell inside the border, and the values outside them are those of the border.
	Bilinear Interpolation = iota
	// CubicSpline is the cubic B-spline through the samples, mirrored at the border samples, with the corner samples of
	// the map on the corner samples of the result: scipy.ndimage.zoom with order=3, mode="mirror", grid_mode=False.
	// It may overshoot the map's range, and is not clipped.
	CubicSpline
)

// Upsample returns a new map of the given size, grown (or shrunk) from h. A size that is not positive counts as zero;
// an h that is nil, empty, or holds more or fewer values than its size says gives zeros.
//
// A NaN or an infinity makes NaN or infinity of all that is interpolated from it, which with CubicSpline is the whole
// map: explaind.Heatmap.Normalize flags it.
func Upsample(h *explaind.Heatmap, height, width int, how Interpolation) *explaind.Heatmap {
	return Embed(h, 0, 0, width, height, height, width, how)
}

// Embed returns a new height×width map that is zero, but for the rectangle x0 ≤ x < x1, y0 ≤ y < y1, which h is grown
// to. Where the rectangle reaches outside, h is grown to all of it and the part outside is cut off. An empty rectangle
// leaves zeros. The rest is as for Upsample.
func Embed(h *explaind.Heatmap, x0, y0, x1, y1, height, width int, how Interpolation) *explaind.Heatmap {
	height, width = max(height, 0), max(width, 0)
	out := explaind.NewHeatmap(height, width)
	visible := image.Rectangle{Min: image.Pt(x0, y0), Max: image.Pt(x1, y1)}.Intersect(image.Rect(0, 0, width, height))
	if visible.Empty() || !complete(h) {
		return out
	}
	source := make([]float64, len(h.Values))
	for i, v := range h.Values {
		source[i] = float64(v)
	}
	tap := bilinearTap
	if how == CubicSpline {
		tap = splineTap
		splineCoefficients(source, h.Height, h.Width)
	}
	across := taps(tap, h.Width, x0, x1, visible.Min.X, visible.Max.X)
	down := taps(tap, h.Height, y0, y1, visible.Min.Y, visible.Max.Y)
	lines := newLines(source, h.Width, across, how != CubicSpline)
	for i, t := range down {
		from := (visible.Min.Y+i)*width + visible.Min.X
		lines.blend(out.Values[from:from+visible.Dx()], t)
	}
	return out
}

// complete tells whether a map has a size and a value for each position.
func complete(h *explaind.Heatmap) bool { return h != nil && fills(len(h.Values), h.Height, h.Width) }

// fills is n == height·width > 0, without overflow.
func fills(n, height, width int) bool {
	return height > 0 && width > 0 && n%height == 0 && n/height == width
}

// tap says how one sample of the result is made along one axis: Σ weight[k]·source[index[k]]. Both interpolations read
// neighbours, so the indices lie within four consecutive ones.
type tap struct {
	index  [4]int
	weight [4]float64
}

// taps are those of the positions from ≤ i < to, where the positions lo ≤ i < hi are what n samples grow to. The
// differences are taken in floating point: a rectangle may lie anywhere.
func taps(of func(offset, length float64, n int) tap, n, lo, hi, from, to int) []tap {
	length := float64(hi) - float64(lo)
	list := make([]tap, to-from)
	for i := range list {
		list[i] = of(float64(from+i)-float64(lo), length, n)
	}
	return list
}

// bilinearTap computes the place in float32, as TensorFlow does. The rest is float64.
func bilinearTap(offset, length float64, n int) tap {
	scale := float32(n) / float32(length)
	place := float32((float32(offset)+0.5)*scale) - 0.5
	floor := math.Floor(float64(place))
	fraction := float64(place) - floor
	lower := min(max(int(floor), 0), n-1)
	upper := min(max(int(floor)+1, 0), n-1)
	return tap{index: [4]int{lower, upper}, weight: [4]float64{1 - fraction, fraction, 0, 0}}
}

// lines are rows of the source with the taps across already applied, made when they are needed. Row r is kept in place
// r mod 4 until another one takes it: one tap's rows never collide, and going down each row is made once.
type lines struct {
	source []float64
	width  int // of the source
	across []tap
	pairs  bool // taps have two samples
	row    [4]int
	values [4][]float64
}

func newLines(source []float64, width int, across []tap, pairs bool) *lines {
	l := &lines{source: source, width: width, across: across, pairs: pairs}
	for i := range l.values {
		l.row[i], l.values[i] = -1, make([]float64, len(across))
	}
	return l
}

func (l *lines) at(row int) []float64 {
	place := row % len(l.values)
	values := l.values[place]
	if l.row[place] == row {
		return values
	}
	l.row[place] = row
	source := l.source[row*l.width : (row+1)*l.width]
	if l.pairs {
		for x := range values {
			t := &l.across[x]
			values[x] = t.weight[0]*source[t.index[0]] + t.weight[1]*source[t.index[1]]
		}
		return values
	}
	for x := range values {
		t := &l.across[x]
		values[x] = t.weight[0]*source[t.index[0]] + t.weight[1]*source[t.index[1]] +
			t.weight[2]*source[t.index[2]] + t.weight[3]*source[t.index[3]]
	}
	return values
}

// blend applies one tap down.
func (l *lines) blend(out []float32, t tap) {
	n := len(out)
	a, b := l.at(t.index[0])[:n], l.at(t.index[1])[:n]
	w := t.weight
	if l.pairs {
		for x := range out {
			out[x] = float32(w[0]*a[x] + w[1]*b[x])
		}
		return
	}
	c, d := l.at(t.index[2])[:n], l.at(t.index[3])[:n]
	for x := range out {
		out[x] = float32(w[0]*a[x] + w[1]*b[x] + w[2]*c[x] + w[3]*d[x])
	}
}
