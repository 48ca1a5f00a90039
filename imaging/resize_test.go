package imaging

import (
	"fmt"
	"math"
	"testing"

	"github.com/explaind/explaind"
)

// pattern is make_goldens.py's: a picture of any size by a formula.
func pattern(height, width int) *Picture {
	p := newPicture(width, height)
	for y := range height {
		for x := range width {
			for c := range 3 {
				p.Pix[3*(y*width+x)+c] = uint8(x*x*3 + y*y*5 + x*y*7 + c*91)
			}
		}
	}
	return p
}

func wholeOf(p *Picture) Frame { return Frame{X1: p.Width, Y1: p.Height} }

var methods = []explaind.Resize{explaind.ResizeBilinear, explaind.ResizeBicubic, explaind.ResizeArea}

// resize.json was made by tf.image.resize, antialias=False, and rounded to 4 digits after the point. Of values in 0…255
// the results differ by up to 1.1e-4, half of which is that rounding.
func TestResizeGoldens(t *testing.T) {
	var cases []struct {
		From, To [2]int // height, width
		Method   explaind.Resize
		At       []int // empty for all
		Values   []float64
	}
	readGoldens(t, "resize.json", &cases)
	worst := map[explaind.Resize]float64{}
	p := newPicture(0, 0)
	for _, c := range cases {
		if p.Height != c.From[0] || p.Width != c.From[1] {
			p = pattern(c.From[0], c.From[1])
		}
		got := resize(p, wholeOf(p), c.Method, c.To[0], c.To[1])
		if len(c.At) == 0 && len(c.Values) != len(got) || len(c.At) > 0 && len(c.At) != len(c.Values) {
			t.Fatalf("%v → %v %s: %d values, golden has %d", c.From, c.To, c.Method, len(got), len(c.Values))
		}
		var difference float64
		for i, want := range c.Values {
			at := i
			if len(c.At) > 0 {
				at = c.At[i]
			}
			difference = max(difference, math.Abs(float64(got[at])-want))
		}
		if !(difference <= 2e-4) {
			t.Errorf("%v → %v %s: differs by %.2g", c.From, c.To, c.Method, difference)
		}
		worst[c.Method] = max(worst[c.Method], difference)
	}
	t.Logf("worst differences: %v", worst)
	if len(worst) != len(methods) {
		t.Errorf("goldens of %d methods", len(worst))
	}
}

// The golden pictures' pixels outside the part must not matter: a part resizes like a picture of its own.
func TestResizeOfAPart(t *testing.T) {
	p := pattern(40, 50)
	part := Frame{X0: 7, Y0: 11, X1: 30, Y1: 28}
	cut := newPicture(part.X1-part.X0, part.Y1-part.Y0)
	for y := range cut.Height {
		copy(cut.row(y), p.row(part.Y0 + y)[3*part.X0:])
	}
	for _, how := range methods {
		for _, to := range [][2]int{{5, 9}, {17, 60}, {90, 23}} {
			got, want := resize(p, part, how, to[0], to[1]), resize(cut, wholeOf(cut), how, to[0], to[1])
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s to %v: value %d is %v of a part and %v alone", how, to, i, got[i], want[i])
				}
			}
		}
	}
}

// Whatever the sides, weights add up to 1 and only pixels that exist are read, from front to back.
func TestAxes(t *testing.T) {
	for _, how := range methods {
		for from := 1; from <= 40; from++ {
			for to := 1; to <= 40; to++ {
				checkAxis(t, newAxis(from, to, how), from, 1e-5)
			}
		}
	}
}

// float32 does not tell neighbours apart in these; nothing may be read out of bounds.
func TestAxesOfSidesBeyondFloat32(t *testing.T) {
	for _, side := range [][2]int{{64_000_000, 224}, {30_000_001, 1_000_003}, {3, 20_000_001}, {20_000_003, 20_000_001}, {20_000_001, 20_000_003}} {
		from, to := side[0], side[1]
		scale := float32(from) / float32(to)
		for name, add := range map[string]func(*axis, int, int, float32){"bilinear": (*axis).bilinear, "bicubic": (*axis).bicubic, "area": (*axis).area} {
			t.Run(fmt.Sprintf("%s %d to %d", name, from, to), func(t *testing.T) {
				a := &axis{start: make([]int, 1)}
				for i := range 50 {
					add(a, i, from, scale)
				}
				for i := to - 150; i < to; i++ {
					add(a, i, from, scale)
				}
				checkAxis(t, a, from, math.Inf(1))
			})
		}
	}
}

func checkAxis(t *testing.T, a *axis, from int, tolerance float64) {
	t.Helper()
	end := 0
	for i, first := range a.first {
		weights := a.weights[a.start[i]:a.start[i+1]]
		var sum float64
		for _, w := range weights {
			sum += float64(w)
		}
		if first < 0 || len(weights) < 1 || len(weights) > a.widest || first+len(weights) > from {
			t.Fatalf("target %d reads %d from %d on", i, len(weights), first)
		}
		if i > 0 && (first < a.first[i-1] || first+len(weights) < end) {
			t.Fatalf("target %d goes back", i)
		}
		end = first + len(weights)
		if !(math.Abs(sum-1) <= tolerance) { // NaN is caught too
			t.Fatalf("weights of target %d of %d add up to %v", i, len(a.first), sum)
		}
	}
}

// A part that has the size already is left as it is, since each axis would: every pixel has the weight 1 for itself, and 0
// for all others.
func TestResizeToTheSameSize(t *testing.T) {
	p := pattern(9, 12)
	part := Frame{X0: 3, Y0: 1, X1: 10, Y1: 9}
	for _, how := range methods {
		for _, n := range []int{1, 2, 7, 224, 4096} {
			a := newAxis(n, n, how)
			for i, first := range a.first {
				for k, w := range a.weights[a.start[i]:a.start[i+1]] {
					if self := first+k == i; self && w != 1 || !self && w != 0 {
						t.Fatalf("%s of %d: pixel %d has weight %v for pixel %d", how, n, i, w, first+k)
					}
				}
			}
		}
		for i, v := range resize(p, part, how, 8, 7) {
			y, x := i/21, i%21
			if want := float32(p.Pix[3*12*(y+1)+9+x]); v != want {
				t.Fatalf("%s: value %d is %v, want %v", how, i, v, want)
			}
		}
	}
}
