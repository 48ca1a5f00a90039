package render

import (
	"bytes"
	"image"
	"image/png"
	"sync"

	"github.com/explaind/explaind"
)

// encoder trades a little size for time: a request waits for its pictures.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &buffers{}}

// PNG encodes a picture: 8-bit RGB, if it is opaque. Errors are *explaind.Error: Internal for a picture without pixels,
// InvalidArgument for one of more than 256 Mi.
func PNG(img image.Image) ([]byte, error) {
	if err := checkPicture(img); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := encoder.Encode(&out, img); err != nil {
		return nil, explaind.Errorf(explaind.Internal, "PNG", "encoding PNG: %w", err)
	}
	return out.Bytes(), nil
}

// buffers lets encoders share their working memory, which is much larger than a small picture.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	buffer, _ := b.pool.Get().(*png.EncoderBuffer)
	return buffer
}

func (b *buffers) Put(buffer *png.EncoderBuffer) { b.pool.Put(buffer) }
