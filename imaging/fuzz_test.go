package imaging

import (
	"encoding/binary"
	"testing"
)

func FuzzDecode(f *testing.F) {
	for _, name := range pictureNames(f) {
		f.Add(readPicture(f, name))
	}
	for _, data := range encoded(f, 9, 7) {
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add(pngHeader(50000, 50000))
	f.Add(bmpHeader(3, 3, 8, 0))
	limits := Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 16}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, limits)
		checkAnswer(t, p, err)
		if err == nil && p.Width*p.Height > limits.MaxPixels {
			t.Fatalf("%d×%d", p.Width, p.Height)
		}
	})
}

func FuzzOrientation(f *testing.F) {
	f.Add(tiffWith(binary.LittleEndian, 0x0112, 3, 1, 6))
	f.Add(tiffWith(binary.BigEndian, 0x0112, 3, 1, 8))
	for _, name := range []string{"exif-5.jpg", "exif-8.png", "exif-6.webp"} {
		f.Add(readPicture(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, tiff := range [][]byte{
			data,
			jpegExif(data),
			pngExif(append([]byte("\x89PNG\r\n\x1a\n"), data...)),
			webpExif(append([]byte("RIFF\x00\x00\x00\x00WEBP"), data...)),
		} {
			if o := orientation(tiff); o < 1 || o > 8 {
				t.Fatalf("orientation %d", o)
			}
		}
	})
}
