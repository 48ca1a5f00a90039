package native_test

import (
	"math"
	"slices"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// faithfulness measures a map of the picture's size for a class, as slowly and plainly as can be.
func (s *sight) faithfulness(relevance heat, class int, o *pb.MethodOptions) *pb.Faithfulness {
	height, width := s.input.size()
	mask := relevance.stretched()
	var order []int // the pixels, the most relevant first
	for i := range height * width {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { // as float32, so that equal ones are equal
		va, vb := float32(relevance[a/width][a%width]), float32(relevance[b/width][b%width])
		switch {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
	among := func(pixels []int) func(y, x int) bool {
		return func(y, x int) bool { return slices.Contains(pixels, y*width+x) }
	}
	p := func(x grid) float64 { return s.again(x).probs[class] }
	percent := func(q int) int { return int(math.Round(float64(q*height*width) / 100)) }

	y, masked := s.probs[class], p(s.input.times(mask))
	var deletion, insertion, road float64
	for step := range 21 {
		first := among(order[:percent(5*step)])
		weight := 1.0
		if step == 0 || step == 20 {
			weight = 0.5
		}
		deletion += weight / 20 * p(s.input.each(func(y, x, _ int, v float64) float64 {
			if first(y, x) {
				return 0
			}
			return v
		}))
		insertion += weight / 20 * p(s.input.each(func(y, x, k int, v float64) float64 {
			if first(y, x) {
				return v
			}
			return s.blurredAt(y, x, k)
		}))
	}
	for _, q := range []int{20, 40, 60, 80} {
		n := percent(q)
		road += (p(s.removed(order[len(order)-n:], q, o)) - p(s.removed(order[:n], q, o))) / 2 / 4
	}
	return &pb.Faithfulness{
		AverageDrop: float32(max(0, y-masked) / y), Increase: masked > y, AverageGain: float32(max(0, masked-y) / (1 - y)),
		DeletionAuc: float32(deletion), InsertionAuc: float32(insertion), Road: float32(road), MaskedProbability: float32(masked),
	}
}

// removed is the picture with some pixels filled in from their neighbours, and noise on them.
func (s *sight) removed(pixels []int, percent int, o *pb.MethodOptions) grid {
	height, width := s.input.size()
	// One equation for each of the pixels: u − Σ w_j u_j / Σ w_j = Σ w_j x_j / Σ w_j over its unknown, and its known, neighbours.
	n := len(pixels)
	matrix := make([][]float64, n)
	for row, pixel := range pixels {
		matrix[row] = make([]float64, n+3)
		py, px := pixel/width, pixel%width
		weights := 0.0
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				y, x := py+dy, px+dx
				if dy == 0 && dx == 0 || y < 0 || x < 0 || y >= height || x >= width {
					continue
				}
				w := 1.0 / 6
				if dy != 0 && dx != 0 {
					w = 1.0 / 12
				}
				weights += w
				if at := slices.Index(pixels, y*width+x); at >= 0 {
					matrix[row][at] -= w
					continue
				}
				for k := range 3 {
					matrix[row][n+k] += w * s.input[y][x][k]
				}
			}
		}
		matrix[row][row] += weights
	}
	eliminate(matrix)

	var values []float64
	s.input.each(func(_, _, _ int, v float64) float64 { values = append(values, v); return 0 })
	sigma := 0.01 * deviation(values)
	next, noise := dice(o, percent), make([]float64, len(values)+1)
	for i := 0; i < len(values); i += 2 {
		r, angle := math.Sqrt(-2*math.Log(1-next())), 2*math.Pi*next()
		noise[i], noise[i+1] = sigma*r*math.Cos(angle), sigma*r*math.Sin(angle)
	}
	return s.input.each(func(y, x, k int, v float64) float64 {
		if row := slices.Index(pixels, y*width+x); row >= 0 {
			return matrix[row][n+k]/matrix[row][row] + noise[(y*width+x)*3+k]
		}
		return v
	})
}

// eliminate makes the left part of an augmented matrix diagonal, by Gauss and Jordan.
func eliminate(matrix [][]float64) {
	for i, pivot := range matrix {
		for j, row := range matrix {
			if j == i {
				continue
			}
			factor := row[i] / pivot[i]
			for k := range row {
				row[k] -= factor * pivot[k]
			}
		}
	}
}

func deviation(values []float64) float64 {
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean) / float64(len(values))
	}
	return math.Sqrt(squares)
}
