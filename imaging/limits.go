package imaging

import (
	"strconv"

	"github.com/explaind/explaind"
)

// Limits bound what one file may cost. A limit of zero or less does not bound. Decoding takes up to about 14 bytes of
// memory a pixel beside the file, and up to 24 for a progressive JPEG.
type Limits struct {
	MaxBytes  int // of an encoded file
	MaxPixels int // width × height; read from the header, before anything is decoded
}

func (l Limits) checkBytes(n int) error {
	if l.MaxBytes <= 0 || n <= l.MaxBytes {
		return nil
	}
	return tooLarge("max_bytes", l.MaxBytes, "the file has %d bytes and %d are allowed; send a smaller or more compressed one", n, l.MaxBytes)
}

// checkPixels divides, because the product of two sides of 32 bits overflows.
func (l Limits) checkPixels(width, height int) error {
	if l.MaxPixels <= 0 || width <= l.MaxPixels/height {
		return nil
	}
	return tooLarge("max_pixels", l.MaxPixels, "the picture is %d×%d and %d pixels are allowed; send a smaller one", width, height, l.MaxPixels)
}

func tooLarge(limit string, value int, format string, args ...any) error {
	e := explaind.Errorf(explaind.InvalidArgument, "IMAGE_TOO_LARGE", format, args...)
	e.Metadata = map[string]string{limit: strconv.Itoa(value)}
	return e
}
