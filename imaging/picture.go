// Package imaging turns the bytes of an image file into pixels, and pixels into model input. It is free of TensorFlow,
// of protocols and of any file or network access: bytes come in, numbers go out.
//
// The numbers are those that Python's users know. Pixels are as Pillow gives them by
// ImageOps.exif_transpose(Image.open(f)).convert("RGB"), sizes as tf.image.resize without antialiasing, values as
// keras.applications.imagenet_utils.preprocess_input. The tests state how near they are.
package imaging

import (
	"math"

	"github.com/explaind/explaind"
)

// Picture is RGB pixels: 3 bytes a pixel, row-major, no padding, so len(Pix) is 3·Width·Height. Both sides are at
// least 1. A Picture is not safe for concurrent writes; nobody writes to one after it was handed on.
type Picture struct {
	Width, Height int
	Pix           []uint8
}

// FromRGB takes pixels that are decoded already. The bytes are shared, not copied.
// The error is an InvalidArgument: BAD_SHAPE for a side below 1 or sides that overflow, BAD_LENGTH if pix does not
// have 3·width·height bytes.
func FromRGB(pix []uint8, width, height int) (*Picture, error) {
	p := &Picture{Width: width, Height: height, Pix: pix}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Picture) check() error {
	if p.Width < 1 || p.Height < 1 || p.Width > math.MaxInt/3/p.Height {
		return explaind.Errorf(explaind.InvalidArgument, "BAD_SHAPE",
			"a picture cannot be %d pixels wide and %d high; both sides must be at least 1", p.Width, p.Height)
	}
	if want := 3 * p.Width * p.Height; len(p.Pix) != want {
		return explaind.Errorf(explaind.InvalidArgument, "BAD_LENGTH",
			"RGB pixels of a picture %d wide and %d high are %d bytes, got %d", p.Width, p.Height, want, len(p.Pix))
	}
	return nil
}

// newPicture is a black picture.
func newPicture(width, height int) *Picture {
	return &Picture{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
}

// row is the bytes of one row, shared.
func (p *Picture) row(y int) []uint8 { return p.Pix[3*y*p.Width : 3*(y+1)*p.Width] }
