package imaging

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
)

// maxScans is five times what encoders write. A scan of a progressive file visits every block of the picture, a tenth of
// a second for 64 million pixels, but takes some dozen bytes of the file: without a bound a file of a few megabytes could
// keep a decoder busy for hours.
const maxScans = 50

const (
	markerSOS   = 0xda
	markerEOI   = 0xd9
	markerAPP1  = 0xe1
	markerAPP14 = 0xee
)

// decodeJPEG adds to image/jpeg the bound on scans, and CMYK files without Adobe's marker, which image/jpeg refuses.
func decodeJPEG(data []byte) (image.Image, error) {
	scans, adobe := 0, false
	for marker, payload := range jpegSegments(data) {
		switch {
		case marker == markerSOS:
			scans++
		case marker == markerAPP14 && bytes.HasPrefix(payload, []byte("Adobe")):
			adobe = true
		}
		if scans > maxScans {
			return nil, tooLarge("max_scans", maxScans, "the JPEG file has more than %d scans; save it as a baseline JPEG", maxScans)
		}
	}
	m, err := jpeg.Decode(bytes.NewReader(data))
	if _, refused := errors.AsType[jpeg.UnsupportedError](err); !refused || adobe {
		return m, err
	}
	return decodePlainCMYK(data, err)
}

// decodePlainCMYK decodes as if Adobe's marker stood at the start, so that values are taken as inverted. Pillow and
// browsers do so too, because hardly any file means it otherwise. If that makes no CMYK picture, the refusal stands.
func decodePlainCMYK(data []byte, refusal error) (image.Image, error) {
	const adobe = "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" // APP14, 14 bytes, version 100, no flags, transform 0
	marked := append(append(append([]byte(nil), data[:2]...), adobe...), data[2:]...)
	m, err := jpeg.Decode(bytes.NewReader(marked))
	if _, cmyk := m.(*image.CMYK); err != nil || !cmyk {
		return nil, refusal
	}
	return m, nil
}

// jpegExif is the payload of the first APP1 segment of that kind.
func jpegExif(data []byte) []byte {
	for marker, payload := range jpegSegments(data) {
		if marker == markerSOS {
			return nil
		}
		if exif, found := bytes.CutPrefix(payload, []byte("Exif\x00\x00")); found && marker == markerAPP1 {
			return exif
		}
	}
	return nil
}

// jpegSegments yields the segments up to the end of the first picture, skipping entropy-coded data and whatever else
// lies between segments, as image/jpeg does.
func jpegSegments(data []byte) func(yield func(marker byte, payload []byte) bool) {
	return func(yield func(byte, []byte) bool) {
		rest := data[min(2, len(data)):]
		for {
			at := bytes.IndexByte(rest, 0xff)
			if at < 0 || at+1 >= len(rest) {
				return
			}
			marker := rest[at+1]
			switch {
			case marker == 0xff: // a fill byte
				rest = rest[at+1:]
				continue
			case marker == 0, marker >= 0xd0 && marker <= 0xd7: // a stuffed byte, a restart
				rest = rest[at+2:]
				continue
			case marker == markerEOI:
				return
			}
			rest = rest[at+2:]
			if len(rest) < 2 {
				return
			}
			length := int(rest[0])<<8 | int(rest[1])
			if length < 2 || length > len(rest) {
				return
			}
			if !yield(marker, rest[2:length]) {
				return
			}
			rest = rest[length:]
		}
	}
}
