package imaging

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"

	"github.com/explaind/explaind"
)

// format is one kind of file: how to know it by its first bytes, and how to read it. It is a table of our own rather
// than package image's registry, which any import anywhere in the program may change.
type format struct {
	name   string
	magic  string // '?' matches any byte
	config func(io.Reader) (image.Config, error)
	decode func([]byte) (image.Image, error)
	// exif finds the file's Exif data, a TIFF structure; nil where the format holds none.
	exif func([]byte) []byte
}

// readable names the formats to callers.
const readable = "JPEG, PNG, GIF, WebP, BMP"

var formats = []format{
	{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, decodeJPEG, jpegExif},
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, whole(png.Decode), pngExif},
	{"GIF", "GIF8?a", gif.DecodeConfig, whole(gif.Decode), nil}, // Decode stops after the first frame
	{"WebP", "RIFF????WEBP", webpConfig, decodeWebP, webpExif},
	{"BMP", "BM????\x00\x00\x00\x00", bmp.DecodeConfig, whole(bmp.Decode), nil},
}

func whole(decode func(io.Reader) (image.Image, error)) func([]byte) (image.Image, error) {
	return func(data []byte) (image.Image, error) { return decode(bytes.NewReader(data)) }
}

// formatOf tells the kind of a file by its content, never by a name.
func formatOf(data []byte) (*format, error) {
	if len(data) == 0 {
		return nil, explaind.Errorf(explaind.InvalidArgument, "IMAGE_DECODE_FAILED", "the file is empty; expected one of these: "+readable)
	}
	for i := range formats {
		if matches(formats[i].magic, data) {
			return &formats[i], nil
		}
	}
	return nil, unsupported("the bytes, which begin with %q, are no file of a kind that is read; expected one of these: %s",
		data[:min(len(data), 12)], readable)
}

func matches(magic string, data []byte) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

func unsupported(text string, args ...any) *explaind.Error {
	e := explaind.Errorf(explaind.InvalidArgument, "UNSUPPORTED_FORMAT", text, args...)
	e.Metadata = map[string]string{"formats": readable}
	return e
}
