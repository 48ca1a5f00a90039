package native_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

func badFile(what string, data []byte, reason string) badRequest {
	return badImage(what, tensorless(data), reason, "image.encoded")
}

// badFiles are files that are no pictures, or broken ones, or too large once they are unpacked.
func badFiles(t testing.TB) []badRequest {
	const failed, large, other = "IMAGE_DECODE_FAILED", "IMAGE_TOO_LARGE", "UNSUPPORTED_FORMAT"
	m := image.NewPaletted(image.Rect(0, 0, 16, 16), palette.Plan9)
	whole := func(encode func(*bytes.Buffer) error) []byte {
		var out bytes.Buffer
		if err := encode(&out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	png := mixed(16, 16).png(t)
	jpg := whole(func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) })
	animated := whole(func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) })
	bitmap := whole(func(b *bytes.Buffer) error { return bmp.Encode(b, m) })
	zipped := whole(func(b *bytes.Buffer) error {
		w := gzip.NewWriter(b)
		w.Write(png)
		return w.Close()
	})
	return []badRequest{
		badFile("TIFF", []byte("II*\x00\x08\x00\x00\x00"), other),
		badFile("PDF", []byte("%PDF-1.7\n"), other),
		badFile("HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), other),
		badFile("AVIF", []byte("\x00\x00\x00\x20ftypavif\x00\x00\x00\x00"), other),
		badFile("icon", []byte("\x00\x00\x01\x00\x01\x00\x10\x10"), other),
		badFile("sound", []byte("RIFF\x24\x00\x00\x00WAVEfmt "), other),
		badFile("array of NumPy", []byte("\x93NUMPY\x01\x00v\x00{'descr'"), other),
		badFile("zip archive", []byte("PK\x03\x04\x14\x00\x00\x00"), other),
		badFile("PNG in gzip", zipped, other),
		badFile("PNG in base64", []byte(base64.StdEncoding.EncodeToString(png)), other),
		badFile("PNG as a data URI", []byte("data:image/png;base64,"+base64.StdEncoding.EncodeToString(png)), other),
		badFile("JSON", []byte(`{"instances": []}`), other),
		badFile("text of UTF-16", []byte("\xff\xfeh\x00i\x00"), other),
		badFile("a PNG behind a blank", append([]byte(" "), png...), other),
		badFile("zeros", make([]byte, 4096), other),

		badFile("PNG with another checksum", altered(png, 29), failed),
		badFile("PNG with another pixel", altered(png, len(png)-20), failed),
		badFile("PNG without pixels", append(bytes.Clone(png[:33]), chunk("IEND", nil)...), failed),
		badFile("PNG without an end", png[:len(png)-12], failed),
		badFile("PNG whose first chunk is its end", append([]byte("\x89PNG\r\n\x1a\n"), chunk("IEND", nil)...), failed),
		badFile("PNG without width", pngOf(0, 16, 8, 2, 0, nil), failed),
		badFile("PNG without height", pngOf(16, 0, 8, 2, 0, nil), failed),
		badFile("PNG of negative width", pngOf(-1, 16, 8, 2, 0, nil), failed),
		badFile("PNG of 3 bits", pngOf(16, 16, 3, 2, 0, nil), other),
		badFile("PNG of an unknown colour type", pngOf(16, 16, 8, 5, 0, nil), other),
		badFile("PNG interlaced in an unknown way", pngOf(16, 16, 8, 2, 7, nil), failed),
		badFile("PNG with a palette that is missing", pngOf(16, 16, 8, 3, 0, deflated(make([]byte, 17*16))), failed),
		badFile("PNG with too few pixels", pngOf(16, 16, 8, 2, 0, deflated(make([]byte, 100))), failed),
		badFile("PNG of pixels that are not deflated", pngOf(16, 16, 8, 2, 0, make([]byte, 100)), failed),
		badFile("PNG that inflates to 16 MiB", pngOf(16, 16, 8, 2, 0, deflated(make([]byte, 16<<20))), failed),
		badFile("PNG of 2³¹−1 rows", bomb(1, 1<<31-1), large),
		badFile("PNG of 2³¹−1 columns", bomb(1<<31-1, 1), large),

		badFile("head of a JPEG", jpg[:4], failed),
		badFile("JPEG without its tables", jpg[:100], failed),
		badFile("JPEG of noise", append([]byte("\xff\xd8\xff"), bytes.Repeat([]byte{0x5a}, 500)...), failed),
		badFile("JPEG of 65500×65500", resized(jpg, 65500, 65500), large),
		badFile("JPEG of no rows", resized(jpg, 0, 16), failed),
		badFile("JPEG of arithmetic coding", markedAs(jpg, 0xc9), other),
		badFile("JPEG without loss", markedAs(jpg, 0xc3), other),
		badFile("JPEG of 12 bits", inFrame(jpg, 4, 12), other),
		badFile("JPEG of two colours", inFrame(jpg, 9, 2), failed),

		badFile("head of a GIF", animated[:10], failed),
		badFile("half a GIF", animated[:len(animated)/2], failed),
		badFile("GIF without a picture", append(bytes.Clone(animated[:13]), 0x3b), failed),
		badFile("GIF of 65535×65535", append([]byte("GIF89a\xff\xff\xff\xff"), animated[10:]...), large),
		badFile("head of a bitmap", bitmap[:20], failed),
		badFile("half a bitmap", bitmap[:len(bitmap)/2], failed),
		badFile("bitmap of 2³¹−1 columns", patched(bitmap, 18, 1<<31-1), large),
		badFile("bitmap of negative width", patched(bitmap, 18, 1<<32-16), other),
		badFile("bitmap that is compressed", patched(bitmap, 30, 1), other),
		badFile("head of a WebP", []byte("RIFF\x24\x00\x00\x00WEBP"), failed),
		badFile("WebP of noise", []byte("RIFF\x24\x00\x00\x00WEBPVP8 "+strings.Repeat("\x5a", 64)), failed),
		badFile("WebP of 16383×16383", []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\xfe\xff\xff\x0f"+strings.Repeat("\x00", 9)), large),
	}
}

// altered has another byte at one place.
func altered(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x55
	return out
}

// patched has another little-endian number at one place.
func patched(data []byte, at int, n uint32) []byte {
	out := bytes.Clone(data)
	binary.LittleEndian.PutUint32(out[at:], n)
	return out
}

func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// pngOf is a PNG with any header and one chunk of pixels, whose checksums are right.
func pngOf(width, height int32, depth, kind, interlace byte, pixels []byte) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	header = append(header, depth, kind, 0, 0, interlace)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header)...)
	return append(append(out, chunk("IDAT", pixels)...), chunk("IEND", nil)...)
}

func deflated(data []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(data) // into memory
	w.Close()
	return out.Bytes()
}

// frame is where a JPEG's baseline frame header begins: FF C0, length, precision, height, width, components.
func frame(jpg []byte) int { return bytes.Index(jpg, []byte{0xff, 0xc0}) }

func inFrame(jpg []byte, at int, value byte) []byte {
	out := bytes.Clone(jpg)
	out[frame(jpg)+at] = value
	return out
}

func markedAs(jpg []byte, marker byte) []byte { return inFrame(jpg, 1, marker) }

func resized(jpg []byte, height, width uint16) []byte {
	out := bytes.Clone(jpg)
	binary.BigEndian.PutUint16(out[frame(jpg)+5:], height)
	binary.BigEndian.PutUint16(out[frame(jpg)+7:], width)
	return out
}
