package render

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/explaind/explaind"
)

// golden is one map and what testdata/make_goldens.py says it grows to. Of large results some rows and columns are kept.
type golden struct {
	MapHeight   int       `json:"map_height"`
	MapWidth    int       `json:"map_width"`
	Map         []float32 `json:"map"`
	Rectangle   [4]int    `json:"rectangle"`
	Height      int       `json:"height"`
	Width       int       `json:"width"`
	Rows        []int     `json:"rows"`
	Columns     []int     `json:"columns"`
	Bilinear    []float64 `json:"bilinear"`
	CubicSpline []float64 `json:"cubic_spline"`
}

func (g *golden) heatmap() *explaind.Heatmap {
	return &explaind.Heatmap{Height: g.MapHeight, Width: g.MapWidth, Values: g.Map}
}

// whole tells whether the rectangle is all of the result.
func (g *golden) whole() bool { return g.Rectangle == [4]int{0, 0, g.Width, g.Height} }

func goldens(tb testing.TB) []golden {
	tb.Helper()
	text, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		tb.Fatal(err)
	}
	var list []golden
	if err := json.Unmarshal(text, &list); err != nil {
		tb.Fatal(err)
	}
	return list
}

// tolerance is for values of about 1: TensorFlow computes in float32, and so its last digit is its own.
const tolerance = 1e-6

func TestBilinearIsTensorFlows(t *testing.T) {
	for _, g := range goldens(t) {
		compare(t, &g, Bilinear, g.Bilinear)
	}
}

func TestCubicSplineIsSciPys(t *testing.T) {
	for _, g := range goldens(t) {
		compare(t, &g, CubicSpline, g.CubicSpline)
	}
}

func compare(t *testing.T, g *golden, how Interpolation, want []float64) {
	t.Helper()
	h := g.heatmap()
	r := g.Rectangle
	got := Embed(h, r[0], r[1], r[2], r[3], g.Height, g.Width, how)
	if got.Height != g.Height || got.Width != g.Width || len(got.Values) != g.Height*g.Width {
		t.Fatalf("%s: got %d×%d with %d values, want %d×%d", how, got.Height, got.Width, len(got.Values), g.Height, g.Width)
	}
	if len(want) != len(g.Rows)*len(g.Columns) || len(want) == 0 {
		t.Fatalf("the golden of %d×%d has %d values", g.Height, g.Width, len(want))
	}
	worst := 0.
	for i, y := range g.Rows {
		for k, x := range g.Columns {
			worst = max(worst, math.Abs(float64(got.Values[y*g.Width+x])-want[i*len(g.Columns)+k]))
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s %d×%d to %v of %d×%d is off by %.3g", how, g.MapHeight, g.MapWidth, r, g.Height, g.Width, worst)
	}
	if g.whole() {
		up := Upsample(h, g.Height, g.Width, how)
		for i, v := range up.Values {
			if v != got.Values[i] {
				t.Fatalf("%s: Upsample and Embed into the whole disagree at %d: %v, %v", how, i, v, got.Values[i])
			}
		}
	}
}
