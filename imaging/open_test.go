package imaging

import (
	"bytes"
	"image"
	"image/png"
	"testing"
)

// A file's size is known before its pixels are read, and those of a damaged one are an error only then.
func TestOpen(t *testing.T) {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 7, 5))); err != nil {
		t.Fatal(err)
	}
	whole := out.Bytes()
	for what, data := range map[string][]byte{"whole": whole, "cut off": whole[:len(whole)-20]} {
		f, err := Open(data, Limits{MaxPixels: 35})
		if err != nil || f.Width != 7 || f.Height != 5 {
			t.Fatalf("%s: %+v, %v", what, f, err)
		}
		p, err := f.Decode()
		if (err == nil) != (what == "whole") || err == nil && (p.Width != 7 || p.Height != 5) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Open(whole, Limits{MaxPixels: 34}); err == nil {
		t.Error("a picture that is too large was opened")
	}
}
