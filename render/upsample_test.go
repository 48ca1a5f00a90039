package render

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

var interpolations = []Interpolation{Bilinear, CubicSpline}

func heatmapOf(height, width int, values ...float32) *explaind.Heatmap {
	return &explaind.Heatmap{Height: height, Width: width, Values: values}
}

// wave is a map of both signs without symmetry.
func wave(height, width int) *explaind.Heatmap {
	h := explaind.NewHeatmap(height, width)
	for i := range h.Values {
		h.Values[i] = float32(math.Sin(float64(i*i)*.7) * .9)
	}
	return h
}

// Half-pixel centres: the samples of a doubled map lie at ¼ and ¾ between those of the map, and its border repeats.
func TestBilinearByHand(t *testing.T) {
	got := Upsample(heatmapOf(1, 2, 0, 1), 2, 4, Bilinear)
	if want := []float32{0, .25, .75, 1, 0, .25, .75, 1}; !slices.Equal(got.Values, want) {
		t.Errorf("got %v, want %v", got.Values, want)
	}
}

// Corner samples on corner samples: of a spline from 4 to 7, each second value is one of the map's own.
func TestCubicSplineGoesThroughTheSamples(t *testing.T) {
	h := wave(4, 4)
	got := Upsample(h, 7, 7, CubicSpline)
	for y := range 4 {
		for x := range 4 {
			if a, b := got.Values[2*y*7+2*x], h.Values[y*4+x]; math.Abs(float64(a-b)) > 1e-6 {
				t.Errorf("at %d, %d: got %v, want %v", y, x, a, b)
			}
		}
	}
}

func TestCubicSplineIsNotClipped(t *testing.T) {
	lo, hi := Upsample(heatmapOf(1, 6, 0, 0, 0, 1, 1, 1), 1, 60, CubicSpline).Range()
	if !(lo < -.01 && hi > 1.01) {
		t.Errorf("a step gives %v…%v, want overshoot on both sides", lo, hi)
	}
}

// Normalize flags a flat map, so a flat map must stay one to the last bit.
func TestFlatStaysFlat(t *testing.T) {
	h := explaind.NewHeatmap(5, 7)
	for _, value := range []float32{1, .1, -3e-20, 1e30, math.MaxFloat32} {
		for i := range h.Values {
			h.Values[i] = value
		}
		for _, how := range interpolations {
			for i, v := range Upsample(h, 33, 50, how).Values {
				if v != value {
					t.Fatalf("%s: %v became %v at %d", how, value, v, i)
				}
			}
		}
	}
}

func TestUpsampleMakesANewMap(t *testing.T) {
	for _, how := range interpolations {
		h := wave(3, 4)
		before := slices.Clone(h.Values)
		Upsample(h, 3, 4, how).Values[0] = 77
		if !slices.Equal(h.Values, before) {
			t.Errorf("%s changed the map it was given", how)
		}
	}
}

func TestUnknownInterpolationIsBilinear(t *testing.T) {
	h := wave(3, 4)
	if !slices.Equal(Upsample(h, 9, 8, 99).Values, Upsample(h, 9, 8, Bilinear).Values) {
		t.Error("it is not")
	}
}

func TestNonFiniteStaysVisible(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, how := range interpolations {
			for _, size := range []int{2, 6, 13} {
				h := wave(6, 6)
				h.Values[14] = float32(bad)
				if got := Upsample(h, size, size, how); size >= 6 && !slices.Contains(got.Normalize(), explaind.FlagNonFinite) {
					t.Errorf("%s to %d hides %v", how, size, bad)
				}
			}
		}
	}
}

func TestNothingToGrowGivesZeros(t *testing.T) {
	full := wave(2, 2)
	for what, h := range map[string]*explaind.Heatmap{
		"nil": nil, "empty": {}, "no rows": {Width: 3}, "short": {Height: 2, Width: 2, Values: full.Values[:3]},
		"long": {Height: 1, Width: 2, Values: full.Values}, "negative": {Height: -2, Width: -2, Values: full.Values},
	} {
		for _, how := range interpolations {
			if got := Upsample(h, 3, 2, how); !slices.Equal(got.Values, make([]float32, 6)) || got.Height != 3 || got.Width != 2 {
				t.Errorf("%s: got %v", what, got)
			}
		}
	}
	for _, size := range [][2]int{{0, 0}, {0, 5}, {5, 0}, {-1, 5}, {5, -1}, {-3, -3}} {
		got := Upsample(full, size[0], size[1], Bilinear)
		if len(got.Values) != 0 || got.Height != max(size[0], 0) || got.Width != max(size[1], 0) {
			t.Errorf("%v: got %v", size, got)
		}
	}
	for _, r := range [][4]int{
		{2, 2, 2, 4}, {2, 2, 4, 2}, {4, 2, 2, 4}, {2, 4, 4, 2}, {-3, 0, 0, 4}, {5, 0, 9, 4}, {0, 5, 4, 9}, {0, -9, 4, 0},
		{math.MaxInt, math.MaxInt, math.MinInt, math.MinInt},
	} {
		if got := Embed(full, r[0], r[1], r[2], r[3], 5, 5, Bilinear); !slices.Equal(got.Values, make([]float32, 25)) {
			t.Errorf("%v: got %v", r, got.Values)
		}
	}
}

// What is cut off must not squeeze what is left.
func TestEmbedCutsOff(t *testing.T) {
	h := wave(4, 5)
	for _, how := range interpolations {
		whole := Upsample(h, 20, 30, how)
		got := Embed(h, -7, -11, 23, 9, 12, 25, how)
		for y := range 12 {
			for x := range 25 {
				want := float32(0)
				if y < 9 && x < 23 {
					want = whole.Values[(y+11)*30+x+7]
				}
				if v := got.Values[y*25+x]; v != want {
					t.Fatalf("%s at %d, %d: got %v, want %v", how, y, x, v, want)
				}
			}
		}
	}
}

// Only what is seen is computed: a rectangle as large as integers go costs no more than its visible part.
func TestEmbedOfAnEndlessRectangle(t *testing.T) {
	for _, how := range interpolations {
		got := Embed(heatmapOf(2, 2, 1, 1, 1, 1), math.MinInt, math.MinInt, math.MaxInt, math.MaxInt, 3, 3, how)
		if want := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}; !slices.Equal(got.Values, want) {
			t.Errorf("%s: got %v", how, got.Values)
		}
	}
}

func FuzzEmbed(f *testing.F) {
	f.Add(uint8(14), uint8(14), 0, 0, 224, 224, uint8(224), uint8(224), float32(1))
	f.Add(uint8(1), uint8(2), -5, 3, 9, 4, uint8(7), uint8(0), float32(math.Inf(1)))
	f.Add(uint8(3), uint8(1), math.MinInt, -1, math.MaxInt, 1, uint8(1), uint8(9), float32(math.NaN()))
	f.Fuzz(func(t *testing.T, mapHeight, mapWidth uint8, x0, y0, x1, y1 int, height, width uint8, odd float32) {
		h := wave(int(mapHeight), int(mapWidth))
		if len(h.Values) > 0 {
			h.Values[len(h.Values)/2] = odd
		}
		finite := math.Abs(float64(odd)) < 1e6
		for _, how := range interpolations {
			got := Embed(h, x0, y0, x1, y1, int(height), int(width), how)
			if got.Height != int(height) || got.Width != int(width) || len(got.Values) != int(height)*int(width) {
				t.Fatalf("got %d×%d with %d values", got.Height, got.Width, len(got.Values))
			}
			lo, hi := h.Range()
			// Bilinear stays in the map's range; the spline's coefficients are at most 3 times it along each axis.
			room := map[Interpolation]float32{Bilinear: 1.001, CubicSpline: 9.001}[how] * max(-lo, hi)
			for i, v := range got.Values {
				if finite && !(v >= -room && v <= room) {
					t.Fatalf("%s: %v at %d is far outside %v…%v", how, v, i, lo, hi)
				}
				y, x := i/int(width), i%int(width)
				if v != 0 && (x < x0 || x >= x1 || y < y0 || y >= y1) {
					t.Fatalf("%s: %v at %d, %d, outside the rectangle", how, v, x, y)
				}
			}
		}
	})
}

func BenchmarkUpsample(b *testing.B) {
	for _, how := range interpolations {
		for _, size := range [][2]int{{7, 224}, {14, 224}, {14, 1024}} {
			h := wave(size[0], size[0])
			b.Run(fmt.Sprintf("%s/%d-%d", how, size[0], size[1]), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					Upsample(h, size[1], size[1], how)
				}
			})
		}
	}
}
