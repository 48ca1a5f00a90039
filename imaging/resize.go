package imaging

import "github.com/explaind/explaind"

// resize makes height × width pixels out of a part of the picture, as float32 [height, width, 3] in 0…255, not rounded;
// bicubic overshoots a little at edges. What lies outside the part has no influence.
//
// Rows are first made as wide as the target, then added up. Only rows and columns that some target pixel needs are
// read, each row once: rows that the next target row may need again are kept in a ring.
func resize(p *Picture, part Frame, how explaind.Resize, height, width int) []float32 {
	if part.X1-part.X0 == width && part.Y1-part.Y0 == height { // every way to resize leaves such pixels as they are
		return floats(p, part)
	}
	across := newAxis(part.X1-part.X0, width, how)
	down := newAxis(part.Y1-part.Y0, height, how)
	ring := newRing(down.widest, 3*width, func(dst []float32, y int) {
		across.resample(dst, p.row(part.Y0 + y)[3*part.X0:3*part.X1])
	})
	out := make([]float32, height*width*3)
	for y := range height {
		dst := out[y*width*3 : (y+1)*width*3]
		for k, w := range down.weights[down.start[y]:down.start[y+1]] {
			src := ring.row(down.first[y] + k)[:len(dst)]
			if k == 0 {
				for i, v := range src {
					dst[i] = w * v
				}
				continue
			}
			for i, v := range src {
				dst[i] += w * v
			}
		}
	}
	return out
}

// floats are the pixels of a part of the picture.
func floats(p *Picture, part Frame) []float32 {
	out := make([]float32, 0, 3*(part.X1-part.X0)*(part.Y1-part.Y0))
	for y := part.Y0; y < part.Y1; y++ {
		for _, v := range p.row(y)[3*part.X0 : 3*part.X1] {
			out = append(out, float32(v))
		}
	}
	return out
}

// resample makes one row of RGB as wide as the axis' target.
func (a *axis) resample(dst []float32, src []uint8) {
	for x, first := range a.first {
		weights := a.weights[a.start[x]:a.start[x+1]]
		s := src[3*first : 3*(first+len(weights))]
		var r, g, b float32
		for _, w := range weights {
			r += w * float32(s[0])
			g += w * float32(s[1])
			b += w * float32(s[2])
			s = s[3:]
		}
		d := dst[3*x : 3*x+3]
		d[0], d[1], d[2] = r, g, b
	}
}

// ring keeps the rows that were made last. One target row needs a run of at most len(rows) of them, and runs never go
// back, so two rows of one run never share a place.
type ring struct {
	rows  [][]float32
	holds []int // which row lies in a place, -1 for none
	fill  func(dst []float32, y int)
}

func newRing(size, width int, fill func([]float32, int)) *ring {
	r := &ring{rows: make([][]float32, size), holds: make([]int, size), fill: fill}
	for i := range r.rows {
		r.rows[i] = make([]float32, width)
		r.holds[i] = -1
	}
	return r
}

func (r *ring) row(y int) []float32 {
	place := y % len(r.rows)
	if r.holds[place] != y {
		r.fill(r.rows[place], y)
		r.holds[place] = y
	}
	return r.rows[place]
}
