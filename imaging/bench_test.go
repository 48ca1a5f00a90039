package imaging

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/explaind/explaind"
)

func BenchmarkResize(b *testing.B) {
	photo := pattern(3000, 4000)
	for _, how := range methods {
		b.Run("4000x3000to224/"+string(how), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resize(photo, wholeOf(photo), how, 224, 224)
			}
		})
	}
	small := pattern(375, 500)
	for _, how := range methods {
		b.Run("500x375to224/"+string(how), func(b *testing.B) {
			for b.Loop() {
				resize(small, wholeOf(small), how, 224, 224)
			}
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	photo := pattern(375, 500)
	how := explaind.Preprocessing{Mode: explaind.ModeCaffe, Resize: explaind.ResizeBilinear}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Prepare(photo, how, 224, 224, 3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJPEG(b *testing.B) {
	for _, size := range []struct {
		name          string
		width, height int
	}{{"4000x3000", 4000, 3000}, {"500x375", 500, 375}} {
		m := image.NewRGBA(image.Rect(0, 0, size.width, size.height))
		for i := range m.Pix { // slopes with some texture, which compress like a photo
			x, y := i/4%size.width, i/4/size.width
			m.Pix[i] = uint8(x/16 + y/16 + (x*y+i)%13)
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, m, nil); err != nil {
			b.Fatal(err)
		}
		b.Run(size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Decode(file.Bytes(), Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(size.name+"/decoder-alone", func(b *testing.B) {
			for b.Loop() {
				if _, err := jpeg.Decode(bytes.NewReader(file.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpright(b *testing.B) {
	photo := pattern(3000, 4000)
	for b.Loop() {
		photo.upright(6)
	}
}
