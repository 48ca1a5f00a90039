package native_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// The oracle computes from the formulas, in float64 and without any of the product's code, what the fake model and the
// methods must answer.

// grid is model input, or a feature map A: rows, columns, three channels.
type grid [][][3]float64

// heat is a map of relevance.
type heat [][]float64

// weight is the dense layer's: 8·exp(−(c−k)²) − 2.
func weight(class, channel int) float64 {
	d := float64(class - channel)
	return 8*math.Exp(-d*d) - 2
}

// sight is what the model makes of one picture.
type sight struct {
	features      grid
	z             float64    // positions
	sums          [3]float64 // ΣA per channel
	logits, probs []float64
}

func look(x grid, classes int) *sight {
	s := &sight{features: make(grid, len(x)/2), logits: make([]float64, classes), probs: make([]float64, classes)}
	for i := range s.features {
		s.features[i] = make([][3]float64, len(x[0])/2)
		for j := range s.features[i] {
			for k := range 3 {
				a := (x[2*i][2*j][k] + x[2*i+1][2*j][k] + x[2*i][2*j+1][k] + x[2*i+1][2*j+1][k]) / 4
				s.features[i][j][k] = a
				s.sums[k] += a
			}
		}
	}
	s.z = float64(len(s.features) * len(s.features[0]))
	total := 0.0
	for c := range s.logits {
		for k := range 3 {
			s.logits[c] += weight(c, k) * s.sums[k] / s.z
		}
		total += math.Exp(s.logits[c])
	}
	for c := range s.probs {
		s.probs[c] = math.Exp(s.logits[c]) / total
	}
	return s
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

// slope is ∂S/∂mean(A_k); every position has 1/z of it.
func (s *sight) slope(probability bool, class, versus int) (out [3]float64) {
	for k := range out {
		out[k] = weight(class, k)
		if probability {
			for j, p := range s.probs {
				out[k] -= p * weight(j, k)
			}
			out[k] *= s.probs[class]
		}
		if versus >= 0 {
			out[k] -= s.slope(probability, versus, -1)[k]
		}
	}
	return out
}

// raw is a method's map before normalising, at the layer's resolution.
func (s *sight) raw(m pb.Method, probability bool, class, versus int) heat {
	article := m == pb.Method_METHOD_ARTICLE_GRAD_CAM || m == pb.Method_METHOD_ARTICLE_GRAD_CAM_PLUS_PLUS
	var w [3]float64
	for k, slope := range s.slope(probability || article, class, versus) {
		g := slope / s.z
		switch m {
		case pb.Method_METHOD_CAM:
			w[k] = s.slope(false, class, versus)[k]
		case pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_ARTICLE_GRAD_CAM:
			w[k] = g // the mean over positions that all have g
		case pb.Method_METHOD_GRAD_CAM_PLUS_PLUS:
			if g > 0 {
				w[k] = s.z * g * g * g / (2*g*g + s.sums[k]*g*g*g)
			}
		case pb.Method_METHOD_ARTICLE_GRAD_CAM_PLUS_PLUS:
			if g > 0 { // α is the same everywhere, so that α/Σα = 1/z
				w[k] = math.Exp(s.probs[class]) * g
			}
		}
	}
	out := make(heat, len(s.features))
	for i, row := range s.features {
		for _, a := range row {
			v := w[0]*a[0] + w[1]*a[1] + w[2]*a[2]
			if m != pb.Method_METHOD_CAM {
				v = max(v, 0)
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

// bilinear grows a map with half-pixel centres.
func (h heat) bilinear(height, width int) heat {
	at := func(i, n, from int) (lower, upper int, share float64) {
		place := (float64(i)+0.5)*float64(from)/float64(n) - 0.5
		floor := math.Floor(place)
		return int(max(floor, 0)), int(min(floor+1, float64(from-1))), place - floor
	}
	out := make(heat, height)
	for y := range out {
		y0, y1, fy := at(y, height, len(h))
		for x := range width {
			x0, x1, fx := at(x, width, len(h[0]))
			upper := h[y0][x0]*(1-fx) + h[y0][x1]*fx
			lower := h[y1][x0]*(1-fx) + h[y1][x1]*fx
			out[y] = append(out[y], upper*(1-fy)+lower*fy)
		}
	}
	return out
}

// spline grows a 2×2 map by the cubic B-spline through its samples. Mirrored at both, two samples s repeat for ever,
// and (4c₀ + 2c₁)/6 = s₀ gives c₀ = 2s₀ − s₁.
func (h heat) spline(height, width int) heat {
	along := func(s0, s1, t float64) float64 {
		c0, c1 := 2*s0-s1, 2*s1-s0
		far0, near0 := math.Pow(1-t, 3)/6, (3*t*t*t-6*t*t+4)/6
		near1, far1 := (-3*t*t*t+3*t*t+3*t+1)/6, t*t*t/6
		return c1*far0 + c0*near0 + c1*near1 + c0*far1
	}
	out := make(heat, height)
	for y := range out {
		for x := range width {
			tx, ty := float64(x)/float64(width-1), float64(y)/float64(height-1)
			out[y] = append(out[y], along(along(h[0][0], h[0][1], tx), along(h[1][0], h[1][1], tx), ty))
		}
	}
	return out
}

func (h heat) extremes() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, row := range h {
		lo, hi = min(lo, slices.Min(row)), max(hi, slices.Max(row))
	}
	return lo, hi
}

// check compares an answer's heatmap with a raw map, normalised here.
func (h heat) check(t *testing.T, got *pb.Heatmap) {
	t.Helper()
	if int(got.GetHeight()) != len(h) || int(got.GetWidth()) != len(h[0]) {
		t.Fatalf("the heatmap is %d×%d, want %d×%d", got.GetHeight(), got.GetWidth(), len(h), len(h[0]))
	}
	lo, hi := h.extremes()
	near(t, "raw_min", got.GetRawMin(), lo)
	near(t, "raw_max", got.GetRawMax(), hi)
	values := floats(got.GetValues())
	if len(values) != len(h)*len(h[0]) {
		t.Fatalf("the heatmap has %d values, want %d×%d", len(values), len(h), len(h[0]))
	}
	for i, v := range values {
		want := 0.0
		if hi > 0 {
			want = h[i/len(h[0])][i%len(h[0])] / hi
		}
		near(t, name("value %d", i), v, want)
	}
}

func near(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 1e-6+1e-5*math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func floats(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}

func littleEndian(values ...float32) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}
