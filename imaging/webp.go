package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"

	"golang.org/x/image/webp"
)

// webpConfig refuses animations, which the decoder would call damaged.
func webpConfig(r io.Reader) (image.Config, error) {
	const flags, animation = 20, 1 << 1 // byte 20 is the first of the payload of the first chunk
	head := make([]byte, flags+1)
	n, err := io.ReadFull(r, head)
	if err == nil && string(head[12:16]) == "VP8X" && head[flags]&animation != 0 {
		return image.Config{}, unsupported("animated WebP is not read; send one frame of it, as WebP, PNG or JPEG")
	}
	return webp.DecodeConfig(io.MultiReader(bytes.NewReader(head[:n]), r))
}

// decodeWebP marks the colours of lossy pictures and takes their alpha off.
func decodeWebP(data []byte) (image.Image, error) {
	m, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		return videoRange{m}, nil
	case *image.NYCbCrA:
		return videoRange{&m.YCbCr}, nil
	default:
		return m, nil
	}
}

// webpExif is the payload of the EXIF chunk. Some writers put JPEG's prefix before it.
func webpExif(data []byte) []byte {
	const header, overhead = 12, 8 // a chunk has a kind and a length before its payload
	for rest := data[header:]; len(rest) >= overhead; {
		length := uint64(binary.LittleEndian.Uint32(rest[4:]))
		if length > uint64(len(rest)-overhead) {
			return nil
		}
		if string(rest[:4]) == "EXIF" {
			return bytes.TrimPrefix(rest[overhead:overhead+length], []byte("Exif\x00\x00"))
		}
		rest = rest[min(overhead+length+length%2, uint64(len(rest))):]
	}
	return nil
}
