package imaging

import "image"

// chroma is a plane of YCbCr, read row by row at full size. Between its samples it is interpolated as libjpeg does by
// default ("fancy upsampling", jdsample.c), to the bit: ¾ of the nearer sample and ¼ of the further one, in each
// direction that is subsampled. Go's own conversion repeats samples, which is dozens of levels off at the edges of
// colours, and models are trained on what libjpeg gives.
type chroma struct {
	pix           []uint8
	stride        int
	width, height int     // in samples
	across, down  int     // pixels per sample
	sums          []int32 // scratch: a row after the vertical step
	full          []uint8 // scratch: a row at full width, or up to across-1 more
}

func newChroma(m *image.YCbCr, pix []uint8) *chroma {
	c := &chroma{pix: pix, stride: m.CStride, across: 1, down: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		c.across = 2
	case image.YCbCrSubsampleRatio420:
		c.across, c.down = 2, 2
	case image.YCbCrSubsampleRatio440:
		c.down = 2
	case image.YCbCrSubsampleRatio411:
		c.across = 4
	case image.YCbCrSubsampleRatio410:
		c.across, c.down = 4, 2
	}
	c.width = (m.Rect.Dx() + c.across - 1) / c.across
	c.height = (m.Rect.Dy() + c.down - 1) / c.down
	c.sums = make([]int32, c.width)
	c.full = make([]uint8, c.width*c.across)
	return c
}

// row is valid until the next call.
func (c *chroma) row(y int) []uint8 {
	near := c.samples(y / c.down)
	switch {
	case c.across == 1 && c.down == 1:
		return near
	case c.across == 4, c.across == 2 && c.width <= 2: // here libjpeg repeats samples too
		for i := range c.full {
			c.full[i] = near[i/c.across]
		}
		return c.full
	case c.across == 1:
		c.addRows(near, y)
		bias := int32(1 + y%2)
		for i, s := range c.sums {
			c.full[i] = uint8((s + bias) >> 2)
		}
		return c.full
	case c.down == 1:
		for i, v := range near {
			c.sums[i] = int32(v)
		}
		c.addColumns(2, 1, 2)
		return c.full
	default:
		c.addRows(near, y)
		c.addColumns(4, 8, 7)
		return c.full
	}
}

// addRows is the vertical step: 3·near + the neighbour on the other side of pixel row y.
func (c *chroma) addRows(near []uint8, y int) {
	further := c.samples(y/2 - 1 + 2*(y%2))
	for i, v := range near {
		c.sums[i] = 3*int32(v) + int32(further[i])
	}
}

// addColumns is the horizontal step, with its rounding for even and odd pixels.
func (c *chroma) addColumns(shift int, even, odd int32) {
	last := len(c.sums) - 1
	left := c.sums[0]
	for i, s := range c.sums {
		right := c.sums[min(i+1, last)]
		c.full[2*i] = uint8((3*s + left + even) >> shift)
		c.full[2*i+1] = uint8((3*s + right + odd) >> shift)
		left = s
	}
}

// samples is one row of the plane; beyond the edges the outermost.
func (c *chroma) samples(y int) []uint8 {
	return c.pix[min(max(y, 0), c.height-1)*c.stride:][:c.width]
}
