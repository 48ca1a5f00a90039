package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

func pictureNames(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata/pictures")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// wantError checks that err is an InvalidArgument with the reason and a text that people can use.
func wantError(t *testing.T, name string, err error, reason, says string) *explaind.Error {
	t.Helper()
	var e *explaind.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error %v, want %s", name, err, reason)
		return &explaind.Error{}
	}
	if e.Code != explaind.InvalidArgument || e.Reason != reason || !strings.Contains(e.Message, says) {
		t.Errorf("%s: code %d %s %q; want %s with %q", name, e.Code, e.Reason, e.Message, reason, says)
	}
	return e
}

func TestDecodeErrors(t *testing.T) {
	rgb, lossy, progressive := readPicture(t, "rgb.png"), readPicture(t, "lossy-alpha.webp"), readPicture(t, "progressive-420.jpg")
	for name, c := range map[string]struct {
		data         []byte
		reason, says string
	}{
		"nothing":              {nil, "IMAGE_DECODE_FAILED", "empty"},
		"two bytes":            {[]byte("BM"), "UNSUPPORTED_FORMAT", "JPEG, PNG, GIF, WebP, BMP"},
		"a web page":           {[]byte("<!DOCTYPE html>"), "UNSUPPORTED_FORMAT", `"<!DOCTYPE ht"`},
		"TIFF":                 {[]byte("II*\x00\x08\x00\x00\x00"), "UNSUPPORTED_FORMAT", "JPEG, PNG, GIF, WebP, BMP"},
		"only a PNG's magic":   {rgb[:8], "IMAGE_DECODE_FAILED", "cut off"},
		"only a JPEG's magic":  {[]byte("\xff\xd8\xff"), "IMAGE_DECODE_FAILED", "cut off"},
		"animated WebP":        {readPicture(t, "animated.webp"), "UNSUPPORTED_FORMAT", "animated"},
		"checksum":             {changed(rgb, len(rgb)-20, 0x55), "IMAGE_DECODE_FAILED", "PNG"},
		"PNG of 50000×50000":   {pngHeader(50000, 50000), "IMAGE_TOO_LARGE", "50000×50000"},
		"PNG of 2³¹−1 squared": {pngHeader(math.MaxInt32, math.MaxInt32), "UNSUPPORTED_FORMAT", "overflow"}, // refused by the decoder already
		"PNG of 0×5":           {pngHeader(0, 5), "IMAGE_DECODE_FAILED", "PNG"},
		"BMP of 0×0":           {bmpHeader(0, 0, 24, 0), "IMAGE_DECODE_FAILED", "0×0"},
		"BMP of 40000×40000":   {bmpHeader(40000, -40000, 24, 0), "IMAGE_TOO_LARGE", "40000×40000"},
		"BMP, run lengths":     {bmpHeader(4, 4, 8, 1), "UNSUPPORTED_FORMAT", "BMP"},
		"BMP of 16 bits":       {bmpHeader(4, 4, 16, 0), "UNSUPPORTED_FORMAT", "BMP"},
		"GIF of 0×0":           {append([]byte("GIF89a"), make([]byte, 20)...), "IMAGE_DECODE_FAILED", "0×0"},
		"GIF of 65535×65535":   {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), "IMAGE_TOO_LARGE", "65535×65535"},
		"GIF, frame too large": {gifFrameBeyondScreen(t), "IMAGE_DECODE_FAILED", "larger"},
		"JPEG of 12 bits":      {afterMarker(t, readPicture(t, "444.jpg"), 0xc0, 2, 12), "UNSUPPORTED_FORMAT", "precision"},
		"JPEG, arithmetic":     {afterMarker(t, readPicture(t, "444.jpg"), 0xc0, -1, 0xc9), "UNSUPPORTED_FORMAT", "JPEG"},
		"JPEG of no height":    {noHeight(t, readPicture(t, "444.jpg")), "IMAGE_DECODE_FAILED", "22×0"},
		"JPEG of many scans":   {manyScans(t, progressive), "IMAGE_TOO_LARGE", "scans"},
		"WebP, canvas smaller": {changed(lossy, 24, lossy[24]^1), "IMAGE_DECODE_FAILED", "WebP"}, // than the frame inside
	} {
		p, err := Decode(c.data, Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 20})
		if p != nil {
			t.Errorf("%s: a picture came with the error", name)
		}
		wantError(t, name, err, c.reason, c.says)
	}
}

func TestLimits(t *testing.T) {
	data := readPicture(t, "rgb.png") // 22×15
	for _, c := range []struct {
		limits   Limits
		metadata string // what is exceeded, "" for nothing
		value    string
	}{
		{Limits{}, "", ""},
		{Limits{MaxBytes: len(data), MaxPixels: 22 * 15}, "", ""},
		{Limits{MaxBytes: len(data) - 1}, "max_bytes", ""},
		{Limits{MaxPixels: 22*15 - 1}, "max_pixels", "329"},
		{Limits{MaxPixels: 1}, "max_pixels", "1"},
	} {
		p, err := Decode(data, c.limits)
		if c.metadata == "" {
			if err != nil || p.Width != 22 || p.Height != 15 {
				t.Errorf("%+v: %v, %v", c.limits, p, err)
			}
			continue
		}
		e := wantError(t, c.metadata, err, "IMAGE_TOO_LARGE", "allowed")
		if got := e.Metadata[c.metadata]; got == "" || c.value != "" && got != c.value {
			t.Errorf("%+v: metadata %v", c.limits, e.Metadata)
		}
	}
}

// Every beginning of every file is answered or refused properly; half of a file is refused, unless its first frame
// lies in that half.
func TestCutFiles(t *testing.T) {
	for _, name := range pictureNames(t) {
		data := readPicture(t, name)
		for n := range data {
			p, err := Decode(data[:n:n], Limits{MaxPixels: 1 << 20})
			checkAnswer(t, p, err)
			if n == len(data)/2 && err == nil && name != "animated.gif" {
				t.Errorf("%s: half of it is a picture", name)
			}
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for _, name := range pictureNames(t) {
		data := readPicture(t, name)
		for range 300 {
			broken := bytes.Clone(data)
			for range 1 + random.IntN(4) {
				broken[random.IntN(len(broken))] = byte(random.Uint32())
			}
			p, err := Decode(broken, Limits{MaxPixels: 1 << 20})
			checkAnswer(t, p, err)
			if err != nil {
				refused++
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d damaged files were refused: was anything damaged?", refused)
	}
}

// checkAnswer wants either a whole picture or an error for the caller.
func checkAnswer(t *testing.T, p *Picture, err error) {
	t.Helper()
	if err == nil {
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		return
	}
	var e *explaind.Error
	if p != nil || !errors.As(err, &e) || e.Code != explaind.InvalidArgument || e.Reason == "" || e.Message == "" {
		t.Fatalf("%v with %v", p, err)
	}
}

func TestPanicsOfDecodersAreErrors(t *testing.T) {
	p, err := guard(&formats[0], func() (*Picture, error) { return nil, decodeBeyondTheEnd(nil) })
	if p != nil {
		t.Error("a picture came with the error")
	}
	e := wantError(t, "panic", err, "IMAGE_DECODE_FAILED", "JPEG")
	if strings.Contains(e.Message, "runtime") || e.Err == nil || !strings.Contains(e.Err.Error(), "out of range") {
		t.Errorf("message %q, cause %v", e.Message, e.Err)
	}
}

func decodeBeyondTheEnd(data []byte) error { return errors.New(string(data[1:])) }

// Markers inside segments are no scans: thumbnails have some.
func TestScansOfThumbnailsDoNotCount(t *testing.T) {
	data := readPicture(t, "progressive-420.jpg")
	comment := append([]byte("\xff\xfe\x03\xea"), bytes.Repeat([]byte("\xff\xda"), 500)...)
	if _, err := Decode(append(append(bytes.Clone(data[:2]), comment...), data[2:]...), Limits{}); err != nil {
		t.Error(err)
	}
	if _, err := Decode(append(bytes.Clone(data), bytes.Repeat([]byte("\xff\xda\x00\x02"), 500)...), Limits{}); err != nil {
		t.Error("what follows the picture: ", err)
	}
}

// A type that no decoder gives today is read pixel by pixel.
func TestAnyImage(t *testing.T) {
	m := image.NewNYCbCrA(image.Rect(0, 0, 5, 3), image.YCbCrSubsampleRatio444)
	for i := range m.Y {
		m.Y[i], m.Cb[i], m.Cr[i], m.A[i] = uint8(i*16), uint8(i*9), uint8(255-i*3), 255
	}
	p, err := onCanvas(m, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 15 {
		r, g, b := color.YCbCrToRGB(m.Y[i], m.Cb[i], m.Cr[i])
		if got := p.Pix[3*i : 3*i+3]; got[0] != r || got[1] != g || got[2] != b {
			t.Errorf("pixel %d is %v, want %d %d %d", i, got, r, g, b)
		}
	}
	if _, err := onCanvas(m, 4, 3); err == nil {
		t.Error("pixels beyond the header's size were taken")
	}
}

// Files made by Go's own encoders, in sizes that are no multiples of anything.
func TestSizesOfEncodedPictures(t *testing.T) {
	for width := 1; width <= 19; width++ {
		for height := 1; height <= 19; height += 3 {
			for name, data := range encoded(t, width, height) {
				p, err := Decode(data, Limits{})
				if err != nil || p.Width != width || p.Height != height {
					t.Fatalf("%s of %d×%d: %v, %v", name, width, height, p, err)
				}
			}
		}
	}
}

func encoded(t testing.TB, width, height int) map[string][]byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 37)
	}
	files := map[string][]byte{}
	for name, encode := range map[string]func(*bytes.Buffer) error{
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) },
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, m) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	return files
}

func changed(data []byte, at int, to byte) []byte {
	out := bytes.Clone(data)
	out[at] = to
	return out
}

// pngHeader is a PNG without pixels.
func pngHeader(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	data := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return binary.BigEndian.AppendUint32(append(data, chunk...), crc32.ChecksumIEEE(chunk))
}

func bmpHeader(width, height int32, bits, compression uint16) []byte {
	b := make([]byte, 54+1024)
	copy(b, "BM")
	b[10], b[14], b[26] = 54, 40, 1
	binary.LittleEndian.PutUint32(b[18:], uint32(width))
	binary.LittleEndian.PutUint32(b[22:], uint32(height))
	binary.LittleEndian.PutUint16(b[28:], bits)
	binary.LittleEndian.PutUint16(b[30:], compression)
	return b
}

func gifFrameBeyondScreen(t *testing.T) []byte {
	data := bytes.Clone(readPicture(t, "whole.gif"))
	data[6], data[8] = 3, 3 // the screen is 3×3
	return data
}

// afterMarker changes a byte after a JPEG's marker; -1 is the marker itself, 0 the first byte of the length.
func afterMarker(t *testing.T, data []byte, marker byte, offset int, to byte) []byte {
	t.Helper()
	at := bytes.Index(data, []byte{0xff, marker})
	if at < 0 {
		t.Fatalf("no marker %#x", marker)
	}
	return changed(data, at+2+offset, to)
}

func noHeight(t *testing.T, data []byte) []byte {
	return afterMarker(t, afterMarker(t, data, 0xc0, 3, 0), 0xc0, 4, 0)
}

// manyScans repeats the last scan of a progressive JPEG.
func manyScans(t *testing.T, data []byte) []byte {
	t.Helper()
	at := bytes.LastIndex(data, []byte{0xff, markerSOS})
	end := bytes.LastIndex(data, []byte{0xff, markerEOI})
	if at < 0 || end < at {
		t.Fatal("no scan")
	}
	out := append(bytes.Clone(data[:end]), bytes.Repeat(data[at:end], maxScans)...)
	return append(out, data[end:]...)
}
