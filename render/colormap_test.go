package render

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/explaind/explaind"
)

// The colours as their authors published them, in 0…1: the first, the middle and the last of each list.
func TestColormapsArePublished(t *testing.T) {
	for c, published := range map[Colormap]map[int][3]float64{
		Viridis: {0: {0.267004, 0.004874, 0.329415}, 128: {0.127568, 0.566949, 0.550556}, 255: {0.993248, 0.906157, 0.143936}},
		Magma:   {0: {0.001462, 0.000466, 0.013866}, 128: {0.716387, 0.214982, 0.475290}, 255: {0.987053, 0.991438, 0.749504}},
		Turbo:   {0: {0.18995, 0.07176, 0.23217}, 128: {0.64362, 0.98999, 0.23356}, 255: {0.47960, 0.01583, 0.01055}},
	} {
		for level, rgb := range published {
			for k, v := range rgb {
				// matplotlib cuts off: bytes = (table * 255).astype(uint8)
				if got, want := c.table()[level][k], uint8(v*255); got != want {
					t.Errorf("%s, entry %d, channel %d: got %d, want %d", c, level, k, got, want)
				}
			}
		}
	}
}

// Jet is made of straight lines between these points, (value, share of the channel).
func TestJetIsItsStraightLines(t *testing.T) {
	channels := [3][][2]float64{
		{{0, 0}, {.35, 0}, {.66, 1}, {.89, 1}, {1, .5}},
		{{0, 0}, {.125, 0}, {.375, 1}, {.64, 1}, {.91, 0}, {1, 0}},
		{{0, .5}, {.11, 1}, {.34, 1}, {.65, 0}, {1, 0}},
	}
	for level := range 256 {
		for k, points := range channels {
			want := 255 * between(points, float64(level)/255)
			if got := Jet.table()[level][k]; got != uint8(want) && got != uint8(want+1e-9) && got != uint8(want-1e-9) {
				t.Errorf("entry %d, channel %d: got %d, want %g", level, k, got, want)
			}
		}
	}
}

func between(points [][2]float64, x float64) float64 {
	for i := 1; ; i++ {
		if a, b := points[i-1], points[i]; x <= b[0] {
			return a[1] + (b[1]-a[1])*(x-a[0])/(b[0]-a[0])
		}
	}
}

// Turbo's author also gave a polynomial that stays within 0.13 of the table, and is farthest from it at the ends: it sees
// entries that are out of place.
// (Mikhailov, Turbo, an improved rainbow colormap for visualization, 2019)
func TestTurboFollowsItsPolynomial(t *testing.T) {
	coefficients := [3][6]float64{
		{0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943},
		{0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604},
		{0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973},
	}
	for level := range 256 {
		x := float64(level) / 255
		for k, c := range coefficients {
			want := c[0] + x*(c[1]+x*(c[2]+x*(c[3]+x*(c[4]+x*c[5]))))
			if got := float64(Turbo.table()[level][k]) / 255; math.Abs(got-want) > .13 {
				t.Errorf("entry %d, channel %d: got %.3f, want about %.3f", level, k, got, want)
			}
		}
	}
}

// The lightness of viridis and magma grows all the way, which jet's and turbo's does not.
func TestLightnessGrows(t *testing.T) {
	for _, c := range []Colormap{Viridis, Magma} {
		last := -1.
		for level, rgb := range c.table() {
			light := .2126*linear(rgb[0]) + .7152*linear(rgb[1]) + .0722*linear(rgb[2])
			if light < last-.0005 {
				t.Errorf("%s gets darker at entry %d", c, level)
			}
			last = light
		}
	}
}

func linear(v uint8) float64 { return math.Pow((float64(v)/255+.055)/1.055, 2.4) }

func TestHeatmapImageColours(t *testing.T) {
	inf := float32(math.Inf(1))
	h := heatmapOf(2, 5, 0, 1, -3, 2, float32(math.NaN()), inf, -inf, 128./256, 127.9/256, math.Nextafter32(1, 0))
	levels := []int{0, 255, 0, 255, 0, 255, 0, 128, 127, 255}
	for _, c := range []Colormap{Jet, Viridis, Turbo, Magma} {
		img := HeatmapImage(h, c)
		if img.Bounds() != image.Rect(0, 0, 5, 2) {
			t.Fatalf("%s: the picture is %v", c, img.Bounds())
		}
		for i, level := range levels {
			rgb := c.table()[level]
			if got := color.RGBAModel.Convert(img.At(i%5, i/5)); got != (color.RGBA{rgb[0], rgb[1], rgb[2], 0xff}) {
				t.Errorf("%s: value %v is %v, want %v", c, h.Values[i], got, rgb)
			}
		}
	}
	if a, b := HeatmapImage(h, 99).At(1, 0), HeatmapImage(h, Jet).At(1, 0); a != b {
		t.Errorf("an unknown colour map draws %v, want Jet's %v", a, b)
	}
	for what, h := range map[string]*explaind.Heatmap{"nil": nil, "empty": {}, "short": {Height: 3, Width: 3, Values: h.Values[:4]}} {
		if img := HeatmapImage(h, Jet); !img.Bounds().Empty() {
			t.Errorf("%s: the picture is %v", what, img.Bounds())
		}
	}
}

func BenchmarkHeatmapImage(b *testing.B) {
	for _, size := range []int{224, 1024} {
		h := Upsample(wave(14, 14), size, size, Bilinear)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				HeatmapImage(h, Jet)
			}
		})
	}
}
