package render

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"sync"
	"testing"

	"github.com/explaind/explaind"
)

func TestPNGComesBack(t *testing.T) {
	want, err := Overlay(noise(31, 17), 31, 17, Upsample(wave(5, 4), 17, 31, Bilinear), Turbo, .4)
	if err != nil {
		t.Fatal(err)
	}
	// Encoders share their memory: many at once, and each picture must be its own.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				encoded, err := PNG(want)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := png.Decode(bytes.NewReader(encoded))
				if err != nil {
					t.Error(err)
					return
				}
				// *image.RGBA is what the decoder makes of opaque RGB, and of nothing else.
				if rgb, ok := got.(*image.RGBA); !ok || !bytes.Equal(rgb.Pix, want.Pix) {
					t.Errorf("decoded to other pixels, a %T", got)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestPNGRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		img  image.Image
		code explaind.Code
	}{
		"nil":     {nil, explaind.Internal},
		"empty":   {image.NewRGBA(image.Rectangle{}), explaind.Internal},
		"endless": {image.White, explaind.InvalidArgument},
	} {
		out, err := PNG(c.img)
		var typed *explaind.Error
		if !errors.As(err, &typed) || typed.Code != c.code || out != nil {
			t.Errorf("%s: got %d bytes, %v", what, len(out), err)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	h := Upsample(wave(14, 14), 224, 224, Bilinear)
	overlay, err := Overlay(noise(224, 224), 224, 224, h, Jet, .5)
	if err != nil {
		b.Fatal(err)
	}
	for name, img := range map[string]image.Image{"heatmap": HeatmapImage(h, Jet), "overlay": overlay} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := PNG(img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
