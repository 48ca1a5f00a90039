package render

import (
	"errors"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func isBar(p color.RGBA) bool { return p == barInk.C }

// barsOf finds the bars of one panel, from top to bottom.
func barsOf(img *image.RGBA, in image.Rectangle) []image.Rectangle {
	var bars []image.Rectangle
	inBar := false
	for y := in.Min.Y; y < in.Max.Y; y++ {
		line, count := where(img, image.Rect(in.Min.X, y, in.Max.X, y+1), isBar)
		switch {
		case count == 0:
			inBar = false
			continue
		case !inBar:
			bars = append(bars, line)
		}
		inBar = true
		bars[len(bars)-1] = bars[len(bars)-1].Union(line)
	}
	return bars
}

func charted(t *testing.T, title string, rows []string, panels ...BarPanel) *image.RGBA {
	t.Helper()
	img, err := BarChart(title, rows, panels)
	if err != nil {
		t.Fatal(err)
	}
	marginIsWhite(t, img.(*image.RGBA))
	return img.(*image.RGBA)
}

// A bar is as long as its number says: all begin at 0, one half as large is half as long.
func TestBarsAreAsLongAsTheirNumbers(t *testing.T) {
	img := charted(t, "", []string{"a", "b", "c", "d"}, BarPanel{Title: "Drop", Axis: "%", Values: []float64{40, 20, math.NaN(), 0}})
	bars := barsOf(img, img.Rect)
	if len(bars) != 3 { // the third has no number, the last is a line
		t.Fatalf("bars at %v", bars)
	}
	for i, b := range bars[1:] {
		if b.Min.X != bars[0].Min.X || b.Min.Y <= bars[i].Max.Y {
			t.Errorf("bars at %v", bars)
		}
	}
	if long, half, zero := bars[0].Dx()-1, bars[1].Dx()-1, bars[2].Dx(); long < 100 || long != 2*half || zero != 1 {
		t.Errorf("40, 20 and 0 are %d, %d and %d pixels long", long, half, zero)
	}
	if gap, two := bars[1].Min.Y-bars[0].Min.Y, bars[2].Min.Y-bars[1].Min.Y; two < 2*gap-1 || two > 2*gap+1 {
		t.Errorf("a row without a number takes no room: %v", bars)
	}
}

func TestNegativeBarsGoToTheLeft(t *testing.T) {
	img := charted(t, "", []string{"a", "b"}, BarPanel{Title: "ROAD", Values: []float64{0.2, -0.1}, Digits: 3})
	bars := barsOf(img, img.Rect)
	if len(bars) != 2 || bars[1].Max.X-1 != bars[0].Min.X || bars[0].Dx() != 2*bars[1].Dx()-1 {
		t.Errorf("0.2 and -0.1 are at %v", bars)
	}
}

// Panels stand beside each other, in lines of the same rows, each with its own scale, and all of them with text.
func TestPanelsStandInLines(t *testing.T) {
	var panels []BarPanel
	for i := range 6 {
		panels = append(panels, BarPanel{Title: "Measure", Axis: "high is good", Values: []float64{math.Pow(10, float64(i))}})
	}
	img := charted(t, "title", []string{"grad_cam"}, panels...)
	bars := barsOf(img, img.Rect)
	if len(bars) != 2 {
		t.Fatalf("%d lines of panels, want 2", len(bars))
	}
	for _, b := range bars {
		edges := 0
		for x := 1; x < img.Rect.Dx(); x++ {
			if isBar(img.RGBAAt(x, b.Min.Y)) && !isBar(img.RGBAAt(x-1, b.Min.Y)) {
				edges++
			}
		}
		if edges != 3 {
			t.Errorf("%d bars in a line, want 3", edges)
		}
		for what, in := range map[string]image.Rectangle{
			"row's name": {Min: image.Pt(0, b.Min.Y), Max: image.Pt(b.Min.X, b.Max.Y)},
			"title":      {Min: image.Pt(b.Min.X, b.Min.Y-45), Max: image.Pt(b.Max.X, b.Min.Y-10)},
			"axis":       {Min: image.Pt(b.Min.X, b.Max.Y+12), Max: image.Pt(b.Max.X, b.Max.Y+60)},
		} {
			if _, count := where(img, in, ink); count < 50 {
				t.Errorf("the %s has %d pixels of ink", what, count)
			}
		}
	}
}

func TestLongNamesOfRowsLeaveRoomForBars(t *testing.T) {
	img := charted(t, strings.Repeat("a title without an end ", 50), []string{strings.Repeat("Wm", 3000), ""}, BarPanel{Title: strings.Repeat("T", 300), Axis: strings.Repeat("x", 300), Values: []float64{1, 0.5}})
	if bars := barsOf(img, img.Rect); len(bars) != 2 || bars[0].Dx() < 200 || img.Rect.Dx() > 1200 {
		t.Errorf("bars at %v in %v", bars, img.Rect)
	}
}

func TestBarChartRefuses(t *testing.T) {
	many := make([]string, 1<<17)
	for what, c := range map[string]struct {
		rows   []string
		panels []BarPanel
		reason string
	}{
		"no rows":         {nil, []BarPanel{{}}, "MALFORMED_CHART"},
		"no panels":       {[]string{"a"}, nil, "MALFORMED_CHART"},
		"a value missing": {[]string{"a", "b"}, []BarPanel{{Values: []float64{1}}}, "MALFORMED_CHART"},
		"too many rows":   {many, []BarPanel{{Values: make([]float64, len(many))}}, "FIGURE_TOO_LARGE"},
	} {
		_, err := BarChart("", c.rows, c.panels)
		if e := new(explaind.Error); !errors.As(err, &e) || e.Reason != c.reason {
			t.Errorf("%s: got %v, want %s", what, err, c.reason)
		}
	}
}

func TestAxis(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		values    []float64
		low, high float64
		ticks     []float64
		digits    int
	}{
		{nil, 0, 1, []float64{0, 0.25, 0.5, 0.75, 1}, 2},
		{[]float64{0, nan, inf, -inf}, 0, 1, []float64{0, 0.25, 0.5, 0.75, 1}, 2},
		{[]float64{36.84, 12}, 0, 40, []float64{0, 10, 20, 30, 40}, 0},
		{[]float64{100, nan}, 0, 100, []float64{0, 25, 50, 75, 100}, 0},
		{[]float64{0.3, -0.1}, -0.1, 0.3, []float64{-0.1, 0, 0.1, 0.2, 0.3}, 1},
		{[]float64{-0.021}, -0.03, 0, []float64{-0.03, -0.02, -0.01, 0}, 2},
		{[]float64{1e-6}, 0, 1e-6, []float64{0, 2.5e-7, 5e-7, 7.5e-7, 1e-6}, 8},
	} {
		a := newAxis(c.values)
		near := func(got, want float64) bool { return math.Abs(got-want) <= 1e-9*(c.high-c.low) }
		if !near(a.low, c.low) || !near(a.high, c.high) || a.steps() != len(c.ticks)-1 || a.digits() != c.digits {
			t.Errorf("%v: axis %+v of %d steps with %d decimals", c.values, a, a.steps(), a.digits())
			continue
		}
		for i, want := range c.ticks {
			if got := a.tick(i); !near(got, want) || math.Signbit(got) != (want < 0) {
				t.Errorf("%v: tick %d is %v, want %v", c.values, i, got, want)
			}
		}
	}
}
