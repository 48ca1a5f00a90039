package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"

	"github.com/explaind/explaind"
)

// Decode reads a JPEG, PNG, GIF (first frame), WebP (not animated) or BMP file, told by its content, as RGB:
//
//   - turned upright by its EXIF orientation (JPEG, PNG, WebP);
//   - alpha is dropped, not composited, as by Pillow's convert("RGB") and TensorFlow's decode_image(channels=3); a GIF
//     is black where its first frame is transparent, as by TensorFlow, or does not reach;
//   - of 16 bits the upper 8 are kept, grey is repeated, CMYK is (255−C)·(255−K)/255;
//   - colour profiles and gamma are ignored, as by both.
//
// The header is checked against l before the pixels are decoded. The error is an InvalidArgument: IMAGE_TOO_LARGE,
// UNSUPPORTED_FORMAT (not one of these formats, or a kind of it that is not read) or IMAGE_DECODE_FAILED (damaged, cut
// off or empty).
func Decode(data []byte, l Limits) (*Picture, error) {
	f, err := Open(data, l)
	if err != nil {
		return nil, err
	}
	return f.Decode()
}

// File is an image file whose header was read, and no more.
type File struct {
	Width, Height int // as stored, before the EXIF orientation turns it

	format *format
	data   []byte
}

// Open reads a file's header and checks it against l. The error is as of package-level Decode.
func Open(data []byte, l Limits) (*File, error) {
	if err := l.checkBytes(len(data)); err != nil {
		return nil, err
	}
	f, err := formatOf(data)
	if err != nil {
		return nil, err
	}
	header, err := guard(f, func() (image.Config, error) { return f.config(bytes.NewReader(data)) })
	if err != nil {
		return nil, err
	}
	if header.Width < 1 || header.Height < 1 {
		return nil, f.failed(fmt.Errorf("it is %d×%d pixels", header.Width, header.Height))
	}
	if err := l.checkPixels(header.Width, header.Height); err != nil {
		return nil, err
	}
	return &File{header.Width, header.Height, f, data}, nil
}

// Decode reads the pixels, as package-level Decode does.
func (f *File) Decode() (*Picture, error) {
	p, err := guard(f.format, func() (*Picture, error) {
		m, err := f.format.decode(f.data)
		if err != nil {
			return nil, err
		}
		return onCanvas(m, f.Width, f.Height)
	})
	if err != nil {
		return nil, err
	}
	if f.format.exif == nil {
		return p, nil
	}
	return p.upright(orientation(f.format.exif(f.data))), nil
}

// guard calls a decoder. Decoders read bytes of strangers, so what they panic with is an error of the file.
func guard[T any](f *format, decode func() (T, error)) (result T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			// The cause's text is about the decoder's own code: nothing for the caller.
			failure := f.failed(errors.New("it is damaged"))
			failure.Err = fmt.Errorf("decoder panicked: %v", cause)
			err = failure
		}
	}()
	result, cause := decode()
	if cause != nil {
		return result, f.explain(cause)
	}
	return result, nil
}

// explain tells files that are not read from files that are broken.
func (f *format) explain(cause error) error {
	var known *explaind.Error
	var fromJPEG jpeg.UnsupportedError
	var fromPNG png.UnsupportedError
	switch {
	case errors.As(cause, &known):
		return cause
	case errors.As(cause, &fromJPEG), errors.As(cause, &fromPNG), errors.Is(cause, bmp.ErrUnsupported):
		return unsupported("this kind of %s file is not read: %w; save the picture as a plain PNG or JPEG", f.name, cause)
	case errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		return f.failed(fmt.Errorf("it is cut off: %w", cause))
	default:
		return f.failed(cause)
	}
}

func (f *format) failed(cause error) *explaind.Error {
	e := explaind.Errorf(explaind.InvalidArgument, "IMAGE_DECODE_FAILED",
		"the %s file cannot be read: %w; check that it is whole, or save the picture anew", f.name, cause)
	e.Metadata = map[string]string{"format": f.name}
	return e
}
