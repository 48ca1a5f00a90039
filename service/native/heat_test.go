package native_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// heat is a map of relevance.
type heat [][]float64

func newHeat(height, width int) heat {
	h := make(heat, height)
	for y := range h {
		h[y] = make([]float64, width)
	}
	return h
}

func (h heat) size() (height, width int) { return len(h), len(h[0]) }

// each makes a map of another one.
func (h heat) each(of func(y, x int, v float64) float64) heat {
	out := newHeat(h.size())
	for y := range h {
		for x, v := range h[y] {
			out[y][x] = of(y, x, v)
		}
	}
	return out
}

func (h heat) relu() heat { return h.each(func(_, _ int, v float64) float64 { return max(v, 0) }) }

// overMax is what normalising makes of a map: nothing, if nothing in it is positive.
func (h heat) overMax() heat {
	_, hi := h.extremes()
	return h.each(func(_, _ int, v float64) float64 {
		if hi <= 0 {
			return 0
		}
		return v / hi
	})
}

// stretched is a map from 0 to 1; a flat one is zero.
func (h heat) stretched() heat {
	lo, hi := h.extremes()
	return h.each(func(_, _ int, v float64) float64 {
		if hi <= lo {
			return 0
		}
		return (v - lo) / (hi - lo)
	})
}

func (h heat) mirrored() heat {
	return h.each(func(y, x int, _ float64) float64 { return h[y][len(h[y])-1-x] })
}

// bilinear grows a map with half-pixel centres.
func (h heat) bilinear(height, width int) heat {
	at := func(i, n, from int) (lower, upper int, share float64) {
		place := (float64(i)+0.5)*float64(from)/float64(n) - 0.5
		floor := math.Floor(place)
		return int(max(floor, 0)), int(min(floor+1, float64(from-1))), place - floor
	}
	return newHeat(height, width).each(func(y, x int, _ float64) float64 {
		y0, y1, fy := at(y, height, len(h))
		x0, x1, fx := at(x, width, len(h[0]))
		upper := h[y0][x0]*(1-fx) + h[y0][x1]*fx
		lower := h[y1][x0]*(1-fx) + h[y1][x1]*fx
		return upper*(1-fy) + lower*fy
	})
}

// spline grows a 2×2 map by the cubic B-spline through its samples. Mirrored at both, two samples s repeat for ever,
// and (4c₀ + 2c₁)/6 = s₀ gives c₀ = 2s₀ − s₁.
func (h heat) spline(height, width int) heat {
	along := func(s0, s1, t float64) float64 {
		c0, c1 := 2*s0-s1, 2*s1-s0
		far0, near0 := math.Pow(1-t, 3)/6, (3*t*t*t-6*t*t+4)/6
		near1, far1 := (-3*t*t*t+3*t*t+3*t+1)/6, t*t*t/6
		return c1*far0 + c0*near0 + c1*near1 + c0*far1
	}
	return newHeat(height, width).each(func(y, x int, _ float64) float64 {
		tx, ty := float64(x)/float64(width-1), float64(y)/float64(height-1)
		return along(along(h[0][0], h[0][1], tx), along(h[1][0], h[1][1], tx), ty)
	})
}

func (h heat) extremes() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, row := range h {
		lo, hi = min(lo, slices.Min(row)), max(hi, slices.Max(row))
	}
	return lo, hi
}

// check compares an answer's heatmap with a raw map, normalised here.
func (h heat) check(t *testing.T, got *pb.Heatmap) {
	t.Helper()
	h.checkWithin(t, got, 1e-5)
}

// checkWithin allows errors up to a part of the map's largest magnitude.
func (h heat) checkWithin(t *testing.T, got *pb.Heatmap, tolerance float64) {
	t.Helper()
	if int(got.GetHeight()) != len(h) || int(got.GetWidth()) != len(h[0]) {
		t.Fatalf("the heatmap is %d×%d, want %d×%d", got.GetHeight(), got.GetWidth(), len(h), len(h[0]))
	}
	lo, hi := h.extremes()
	within(t, "raw_min", got.GetRawMin(), lo, tolerance*max(-lo, hi))
	within(t, "raw_max", got.GetRawMax(), hi, tolerance*max(-lo, hi))
	values := floats(got.GetValues())
	if len(values) != len(h)*len(h[0]) {
		t.Fatalf("the heatmap has %d values, want %d×%d", len(values), len(h), len(h[0]))
	}
	if hi > 0 {
		tolerance *= max(-lo/hi, 1)
	}
	want := h.overMax()
	for i, v := range values {
		within(t, name("value %d, %d", i/len(h[0]), i%len(h[0])), v, want[i/len(h[0])][i%len(h[0])], tolerance)
	}
}

func near(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	within(t, what, got, want, 1e-6+1e-5*math.Abs(want))
}

func within(t *testing.T, what string, got float32, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func floats(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

func littleEndian(values ...float32) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
