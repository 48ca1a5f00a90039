package imaging

import "image"

// videoRange marks YCbCr whose Y runs from 16 to 235 and whose chroma from 16 to 240, as in WebP. Package image knows
// JPEG's full range only.
type videoRange struct{ *image.YCbCr }

// ycbcrRows writes rows of m, whose bounds begin at (0, 0) as the decoders make them.
func ycbcrRows(m *image.YCbCr, convert func(dst, y, cb, cr []uint8)) func([]uint8, int) {
	cb, cr := newChroma(m, m.Cb), newChroma(m, m.Cr)
	return func(dst []uint8, y int) {
		convert(dst, m.Y[y*m.YStride:][:len(dst)/3], cb.row(y), cr.row(y))
	}
}

// jpegRGB is libjpeg's ycc_rgb_convert (jdcolor.c), to the bit: 16 fractional bits, green summed before rounding.
func jpegRGB(dst, y, cb, cr []uint8) {
	const half = 1 << 15
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, luma := range y {
		l, b, r := int32(luma), int32(cb[i])-128, int32(cr[i])-128
		d := dst[3*i : 3*i+3]
		d[0] = clamp8(l + (91881*r+half)>>16)
		d[1] = clamp8(l + (-22554*b-46802*r+half)>>16)
		d[2] = clamp8(l + (116130*b+half)>>16)
	}
}

// videoRGB is libwebp's VP8YuvToRgb (src/dsp/yuv.h), to the bit: BT.601 in video range, 6 fractional bits.
func videoRGB(dst, y, cb, cr []uint8) {
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, luma := range y {
		l, u, v := int32(luma)*19077>>8, int32(cb[i]), int32(cr[i])
		d := dst[3*i : 3*i+3]
		d[0] = clamp8((l + v*26149>>8 - 14234) >> 6)
		d[1] = clamp8((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
		d[2] = clamp8((l + u*33050>>8 - 17685) >> 6)
	}
}

func clamp8(v int32) uint8 {
	if uint32(v) <= 255 {
		return uint8(v)
	}
	if v < 0 {
		return 0
	}
	return 255
}
