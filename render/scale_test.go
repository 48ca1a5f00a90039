package render

import (
	"image"
	"image/color"
	"math"
	"testing"
)

func TestShrunkIsTheMean(t *testing.T) {
	img := image.NewRGBA(image.Rect(3, 5, 3+7, 5+4))
	for y := range 4 {
		for x := range 7 {
			img.SetRGBA(3+x, 5+y, color.RGBA{uint8(10*x + y%2), uint8(10 * y), 77, 0xff})
		}
	}
	// 7×4 in blocks of about 2×2 is 3×2 blocks; the columns are 2, 2 and 3 wide. Halves are rounded up.
	got := shrunk(img, 2, 2)
	if got.Rect != image.Rect(0, 0, 3, 2) {
		t.Fatalf("the picture is %v", got.Rect)
	}
	for y, green := range []uint8{5, 25} {
		for x, red := range []uint8{6, 26, 51} {
			if p := got.RGBAAt(x, y); p != (color.RGBA{red, green, 77, 0xff}) {
				t.Errorf("at %d, %d: %v, want %d, %d", x, y, p, red, green)
			}
		}
	}
}

// Fine stripes must become grey, not stripes of another kind.
func TestPaintHasNoAliases(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 3001, 2003))
	for i := range img.Pix {
		img.Pix[i] = 0xff
		if i%4 < 3 && (i/4%3001)%2 == 0 {
			img.Pix[i] = 0
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, 110, 90))
	paint(out, image.Rect(5, 5, 105, 85), img)
	for y := 7; y < 83; y++ {
		for x := 7; x < 103; x++ {
			if v := out.RGBAAt(x, y).G; math.Abs(float64(v)-127.5) > 12 {
				t.Fatalf("at %d, %d: %d, want about 127", x, y, v)
			}
		}
	}
	if out.RGBAAt(4, 50) != (color.RGBA{}) || out.RGBAAt(105, 50) != (color.RGBA{}) {
		t.Error("paint leaves its rectangle")
	}
}
