package render

import (
	"image"
	"image/color"

	"golang.org/x/image/draw"

	"github.com/explaind/explaind"
)

// maxPicture is the most pixels that a picture may have; they take four bytes each.
const maxPicture = 256 << 20

// checkPicture refuses pictures without pixels and with absurdly many, such as image.Uniform has.
func checkPicture(picture image.Image) error {
	if picture == nil || picture.Bounds().Empty() {
		return explaind.Errorf(explaind.Internal, "EMPTY_PICTURE", "a picture that shall be drawn or encoded has no pixels")
	}
	if size := picture.Bounds().Size(); size.X > maxPicture/size.Y {
		return explaind.Errorf(explaind.InvalidArgument, "PICTURE_TOO_LARGE",
			"a picture of %d×%d has more than the %d pixels that can be drawn or encoded; ask for a smaller one", size.X, size.Y, maxPicture)
	}
	return nil
}

// widest is how many times wider than high the space for a picture is at most.
const widest = 4

// fitted is the size of a picture scaled to a height; one that would be too wide for its space is made smaller.
func fitted(picture image.Rectangle, height int) image.Point {
	w, h := float64(picture.Dx()), float64(picture.Dy())
	scale := min(float64(height)/h, float64(widest*height)/w)
	return image.Pt(max(int(w*scale+.5), 1), max(int(h*scale+.5), 1))
}

// paint scales a picture into a rectangle of dst, by Catmull-Rom interpolation.
func paint(dst *image.RGBA, r image.Rectangle, picture image.Image) {
	pixels, ok := picture.(*image.RGBA)
	if !ok {
		b := picture.Bounds()
		pixels = image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(pixels, pixels.Rect, picture, b.Min, draw.Src)
	}
	// Catmull-Rom alone needs seconds, and memory many times the picture's, for what a camera makes.
	pixels = shrunk(pixels, max(pixels.Rect.Dx()/r.Dx(), 1), max(pixels.Rect.Dy()/r.Dy(), 1))
	draw.CatmullRom.Scale(dst, r, pixels, pixels.Rect, draw.Over, nil)
}

// shrunk makes one pixel, their mean, of about nx×ny each. All pixels of the picture count.
func shrunk(picture *image.RGBA, nx, ny int) *image.RGBA {
	if nx == 1 && ny == 1 {
		return picture
	}
	b := picture.Rect
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()/nx, b.Dy()/ny))
	size := out.Rect.Max
	for y := range size.Y {
		top, bottom := b.Min.Y+y*b.Dy()/size.Y, b.Min.Y+(y+1)*b.Dy()/size.Y
		for x := range size.X {
			left, right := b.Min.X+x*b.Dx()/size.X, b.Min.X+(x+1)*b.Dx()/size.X
			out.SetRGBA(x, y, mean(picture, left, top, right, bottom))
		}
	}
	return out
}

// mean is the average of a block.
func mean(picture *image.RGBA, left, top, right, bottom int) color.RGBA {
	var r, g, b, a int
	for y := top; y < bottom; y++ {
		from := picture.PixOffset(left, y)
		for pix := picture.Pix[from : from+4*(right-left)]; len(pix) >= 4; pix = pix[4:] {
			r, g, b, a = r+int(pix[0]), g+int(pix[1]), b+int(pix[2]), a+int(pix[3])
		}
	}
	n := (right - left) * (bottom - top)
	return color.RGBA{uint8((r + n/2) / n), uint8((g + n/2) / n), uint8((b + n/2) / n), uint8((a + n/2) / n)}
}
