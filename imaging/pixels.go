package imaging

import (
	"fmt"
	"image"
	"image/color"
)

// onCanvas makes a picture of the size that the header promised. Only the frame of a GIF may be smaller than that; the
// rest stays black.
func onCanvas(m image.Image, width, height int) (*Picture, error) {
	b := m.Bounds()
	if !b.In(image.Rect(0, 0, width, height)) {
		return nil, fmt.Errorf("its header says %d×%d pixels, but its pixels span %v", width, height, b)
	}
	p := newPicture(width, height)
	write := rowWriter(m)
	for y := range b.Dy() {
		write(p.row(b.Min.Y + y)[3*b.Min.X:3*b.Max.X], y)
	}
	return p, nil
}

// rowWriter returns what writes one row of m, counted from the top of its bounds, as RGB to dst. It looks at the type
// of m once, so that no pixel goes through an interface.
func rowWriter(m image.Image) func(dst []uint8, y int) {
	switch m := m.(type) {
	case *image.YCbCr:
		return ycbcrRows(m, jpegRGB)
	case videoRange:
		return ycbcrRows(m.YCbCr, videoRGB)
	case *image.Gray:
		return greyRows(m.Pix, m.Stride, 1)
	case *image.Gray16:
		return greyRows(m.Pix, m.Stride, 2)
	case *image.RGBA: // the decoders use it for opaque pixels only
		return colourRows(m.Pix, m.Stride, 4, 1)
	case *image.NRGBA:
		return colourRows(m.Pix, m.Stride, 4, 1)
	case *image.RGBA64: // as RGBA
		return colourRows(m.Pix, m.Stride, 8, 2)
	case *image.NRGBA64:
		return colourRows(m.Pix, m.Stride, 8, 2)
	case *image.Paletted:
		return palettedRows(m)
	case *image.CMYK:
		return cmykRows(m)
	default:
		return anyRows(m)
	}
}

// greyRows reads values of size bytes each, the most significant first; that one is kept.
func greyRows(pix []uint8, stride, size int) func([]uint8, int) {
	return func(dst []uint8, y int) {
		src := pix[y*stride:]
		for i := range len(dst) / 3 {
			v := src[i*size]
			dst[3*i], dst[3*i+1], dst[3*i+2] = v, v, v
		}
	}
}

// colourRows reads R, G and B of pixels of so many bytes, each value of size bytes with the most significant first.
func colourRows(pix []uint8, stride, pixel, size int) func([]uint8, int) {
	return func(dst []uint8, y int) {
		src := pix[y*stride:]
		for i := range len(dst) / 3 {
			s := src[i*pixel : i*pixel+pixel]
			dst[3*i], dst[3*i+1], dst[3*i+2] = s[0], s[size], s[2*size]
		}
	}
}

func palettedRows(m *image.Paletted) func([]uint8, int) {
	var table [256][3]uint8 // more than the palette may have: an index beyond it is black
	for i, c := range m.Palette[:min(len(m.Palette), len(table))] {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		table[i] = [3]uint8{n.R, n.G, n.B}
	}
	return func(dst []uint8, y int) {
		src := m.Pix[y*m.Stride:]
		for i := range len(dst) / 3 {
			c := &table[src[i]]
			dst[3*i], dst[3*i+1], dst[3*i+2] = c[0], c[1], c[2]
		}
	}
}

// cmykRows takes 0 as no ink.
func cmykRows(m *image.CMYK) func([]uint8, int) {
	return func(dst []uint8, y int) {
		src := m.Pix[y*m.Stride:]
		for i := range len(dst) / 3 {
			s := src[4*i : 4*i+4]
			light := 255 - int(s[3])
			for c := range 3 {
				dst[3*i+c] = uint8(((255-int(s[c]))*light + 127) / 255)
			}
		}
	}
}

// anyRows is for types that today's decoders do not give.
func anyRows(m image.Image) func([]uint8, int) {
	at := m.Bounds().Min
	return func(dst []uint8, y int) {
		for i := range len(dst) / 3 {
			c := color.NRGBAModel.Convert(m.At(at.X+i, at.Y+y)).(color.NRGBA)
			dst[3*i], dst[3*i+1], dst[3*i+2] = c.R, c.G, c.B
		}
	}
}
