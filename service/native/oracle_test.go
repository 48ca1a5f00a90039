package native_test

import (
	"math"
	"slices"
)

// The oracle computes from the formulas, in float64 and without any of the product's code, what the fake model and the
// methods must answer. This is the model.

// grid is model input, or a feature map A: rows, columns, three channels.
type grid [][][3]float64

func newGrid(height, width int) grid {
	g := make(grid, height)
	for y := range g {
		g[y] = make([][3]float64, width)
	}
	return g
}

func (g grid) size() (height, width int) { return len(g), len(g[0]) }

// each makes a grid of another one.
func (g grid) each(of func(y, x, k int, v float64) float64) grid {
	out := newGrid(g.size())
	for y := range g {
		for x := range g[y] {
			for k, v := range g[y][x] {
				out[y][x][k] = of(y, x, k, v)
			}
		}
	}
	return out
}

// times is a mask over all channels.
func (g grid) times(mask heat) grid {
	return g.each(func(y, x, _ int, v float64) float64 { return v * mask[y][x] })
}

// sums are those of the channels.
func (g grid) sums() (out [3]float64) {
	g.each(func(_, _, k int, v float64) float64 { out[k] += v; return 0 })
	return out
}

func (g grid) positions() float64 { return float64(len(g) * len(g[0])) }

// weight is the dense layer's: 8·exp(−(c−k)²) − 2.
func weight(class, channel int) float64 {
	d := float64(class - channel)
	return 8*math.Exp(-d*d) - 2
}

// sight is what the model makes of one picture, seen from one layer.
type sight struct {
	input         grid
	features      grid       // A of the layer
	z             float64    // positions
	sums          [3]float64 // ΣA per channel
	logits, probs []float64
	black         [3]float64 // what becomes of a black pixel
}

// look sees the pooled features of x.
func look(x grid, classes int) *sight {
	height, width := x.size()
	pooled := newGrid(height/2, width/2).each(func(i, j, k int, _ float64) float64 {
		return (x[2*i][2*j][k] + x[2*i+1][2*j][k] + x[2*i][2*j+1][k] + x[2*i+1][2*j+1][k]) / 4
	})
	s := &sight{input: x}
	s.focus(pooled)
	s.logits, s.probs = behind(s.sums, s.z, classes)
	return s
}

func (s *sight) focus(a grid) { s.features, s.z, s.sums = a, a.positions(), a.sums() }

// early sees the layer "block/early" of the model deep, which is the picture itself.
func (s *sight) early() *sight {
	e := *s
	e.focus(s.input)
	return &e
}

// again looks at another picture.
func (s *sight) again(x grid) *sight { return look(x, len(s.logits)) }

// behind is the model behind a layer, of which it sees the means only.
func behind(sums [3]float64, z float64, classes int) (logits, probs []float64) {
	total := 0.0
	for c := range classes {
		logit := 0.0
		for k, sum := range sums {
			logit += weight(c, k) * sum / z
		}
		logits = append(logits, logit)
		total += math.Exp(logit)
	}
	for _, l := range logits {
		probs = append(probs, math.Exp(l)/total)
	}
	return logits, probs
}

// ranked is the class of a rank, from 1.
func (s *sight) ranked(rank int) int {
	order := make([]int, len(s.probs))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case s.probs[a] > s.probs[b]:
			return -1
		case s.probs[a] < s.probs[b]:
			return 1
		}
		return 0
	})
	return order[rank-1]
}

// why is what is explained: the logit or the probability of a class, less that of versus unless that is −1.
type why struct {
	probability   bool
	class, versus int
}

// of asks for the logit of a class.
func of(class int) why { return why{false, class, -1} }

func (s *sight) score(w why) float64 {
	values := s.logits
	if w.probability {
		values = s.probs
	}
	if w.versus < 0 {
		return values[w.class]
	}
	return values[w.class] - values[w.versus]
}

// slope is ∂S/∂mean(A_k); every position has 1/z of it, at any layer.
func (s *sight) slope(w why) (out [3]float64) {
	for k := range out {
		out[k] = weight(w.class, k)
		if w.probability {
			for j, p := range s.probs {
				out[k] -= p * weight(j, k)
			}
			out[k] *= s.probs[w.class]
		}
		if w.versus >= 0 {
			out[k] -= s.slope(why{w.probability, w.versus, -1})[k]
		}
	}
	return out
}

// gradient is ∂S/∂A at every position of the layer.
func (s *sight) gradient(w why) (g [3]float64) {
	for k, slope := range s.slope(w) {
		g[k] = slope / s.z
	}
	return g
}
