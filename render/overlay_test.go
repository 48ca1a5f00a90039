package render

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/explaind/explaind"
)

// noise is a picture of random pixels.
func noise(width, height int) []uint8 {
	r := rand.New(rand.NewPCG(3, 4))
	pix := make([]uint8, 3*width*height)
	for i := range pix {
		pix[i] = uint8(r.Uint32())
	}
	return pix
}

func TestOverlayByHand(t *testing.T) {
	// Jet's ends are (0, 0, 127) and (127, 0, 0).
	out, err := Overlay([]uint8{100, 200, 51, 10, 20, 30}, 2, 1, heatmapOf(1, 2, 0, 1), Jet, .25)
	if err != nil {
		t.Fatal(err)
	}
	// .75·100, .75·200, .75·51 + .25·127 = 70, then .75·10 + .25·127 = 39.25, 15, 22.5
	if got, want := fmt.Sprint(out.Pix), "[75 150 70 255 39 15 23 255]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOverlayIsTheWeightedSum(t *testing.T) {
	const width, height = 61, 47
	pix, h := noise(width, height), Upsample(wave(5, 6), height, width, CubicSpline)
	for _, c := range []Colormap{Jet, Viridis, Turbo, Magma} {
		colours := HeatmapImage(h, c).(*image.RGBA)
		for _, alpha := range []float64{0, 1e-9, .1, 1. / 3, .5, .77, 1} {
			out, err := Overlay(pix, width, height, h, c, alpha)
			if err != nil {
				t.Fatal(err)
			}
			if out.Rect != image.Rect(0, 0, width, height) || !out.Opaque() {
				t.Fatalf("the overlay is %v, opaque: %v", out.Rect, out.Opaque())
			}
			for i := range width * height {
				for k := range 3 {
					want := alpha*float64(colours.Pix[4*i+k]) + (1-alpha)*float64(pix[3*i+k])
					// the nearest whole number, but for the fixed point's own rounding
					if got := float64(out.Pix[4*i+k]); math.Abs(got-want) > .5+1./(1<<15) {
						t.Fatalf("%s, alpha %v, pixel %d, channel %d: got %v, want %v", c, alpha, i, k, got, want)
					}
				}
			}
		}
	}
}

func TestOverlayRefuses(t *testing.T) {
	h, pix := wave(2, 3), noise(3, 2)
	for what, c := range map[string]struct {
		pix           []uint8
		width, height int
		h             *explaind.Heatmap
		alpha         float64
		code          explaind.Code
	}{
		"alpha below 0":    {pix, 3, 2, h, -.01, explaind.InvalidArgument},
		"alpha above 1":    {pix, 3, 2, h, 1.01, explaind.InvalidArgument},
		"alpha NaN":        {pix, 3, 2, h, math.NaN(), explaind.InvalidArgument},
		"a turned picture": {pix, 2, 3, h, .5, explaind.Internal},
		"a short picture":  {pix[:17], 3, 2, h, .5, explaind.Internal},
		"a long picture":   {append(pix, 1, 2, 3), 3, 2, h, .5, explaind.Internal},
		"no picture":       {nil, 0, 0, h, .5, explaind.Internal},
		"no map":           {pix, 3, 2, nil, .5, explaind.Internal},
		"an empty map":     {nil, 0, 0, &explaind.Heatmap{}, .5, explaind.Internal},
		"a short map":      {pix, 3, 2, &explaind.Heatmap{Height: 2, Width: 3, Values: h.Values[:5]}, .5, explaind.Internal},
		"sizes that wrap":  {nil, 1 << 32, 1 << 32, &explaind.Heatmap{Height: 1 << 32, Width: 1 << 32}, .5, explaind.Internal},
	} {
		out, err := Overlay(c.pix, c.width, c.height, c.h, Jet, c.alpha)
		var typed *explaind.Error
		if !errors.As(err, &typed) || typed.Code != c.code || out != nil {
			t.Errorf("%s: got %v, %v", what, out, err)
		}
	}
}

func BenchmarkOverlay(b *testing.B) {
	for _, size := range []int{224, 1024} {
		h, pix := Upsample(wave(14, 14), size, size, Bilinear), noise(size, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Overlay(pix, size, size, h, Jet, .5); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
