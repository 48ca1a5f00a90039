package native_test

import (
	"math"
	"math/rand/v2"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// or is a setting, or its default.
func or[T int32 | float32](setting, otherwise T) T {
	if setting == 0 {
		return otherwise
	}
	return setting
}

// dice are the random numbers of one sample or mask.
func dice(o *pb.MethodOptions, i int) func() float64 {
	source := rand.NewPCG(uint64(o.GetSeed()), uint64(i))
	return func() float64 { return float64(source.Uint64()&(1<<53-1)) / (1 << 53) }
}

// steepest is max_c |g| at every pixel: the gradient at the input is the same everywhere.
func (s *sight) steepest(g [3]float64) heat {
	height, width := s.input.size()
	return newHeat(height, width).each(func(int, int, float64) float64 {
		return max(math.Abs(g[0]), math.Abs(g[1]), math.Abs(g[2]))
	})
}

// noisy are the pictures with noise.
func (s *sight) noisy(o *pb.MethodOptions) []*sight {
	lo, hi := math.Inf(1), math.Inf(-1)
	s.input.each(func(_, _, _ int, v float64) float64 { lo, hi = min(lo, v), max(hi, v); return 0 })
	sigma := float64(or(o.GetNoise().GetLevel(), 0.15)) * (hi - lo)
	var list []*sight
	for i := range int(or(o.GetNoise().GetSamples(), 50)) {
		next, kept := dice(o, i), math.NaN()
		list = append(list, s.again(s.input.each(func(_, _, _ int, v float64) float64 {
			if !math.IsNaN(kept) { // the second one of a pair
				n := kept
				kept = math.NaN()
				return v + sigma*n
			}
			u1, u2 := next(), next()
			r := math.Sqrt(-2 * math.Log(1-u1))
			kept = r * math.Sin(2*math.Pi*u2)
			return v + sigma*r*math.Cos(2*math.Pi*u2)
		})))
	}
	return list
}

// smooth is SmoothGrad, VarGrad or SquareGrad.
func (s *sight) smooth(w why, o *pb.MethodOptions) heat {
	var all [][3]float64
	for _, n := range s.noisy(o) {
		all = append(all, n.early().gradient(w))
	}
	mean := func(of func(k int, g float64) float64) (out [3]float64) {
		for _, g := range all {
			for k := range out {
				out[k] += of(k, g[k]) / float64(len(all))
			}
		}
		return out
	}
	first := mean(func(_ int, g float64) float64 { return g })
	switch o.GetNoise().GetStatistic() {
	case pb.NoiseStatistic_NOISE_STATISTIC_VARIANCE:
		return s.steepest(mean(func(k int, g float64) float64 {
			if d := g - first[k]; math.Abs(d) > 1e-12 { // a linear score has the same gradient everywhere
				return d * d
			}
			return 0
		}))
	case pb.NoiseStatistic_NOISE_STATISTIC_SQUARE:
		return s.steepest(mean(func(_ int, g float64) float64 { return g * g }))
	default:
		return s.steepest(first)
	}
}

// smoothWeights are those of Smooth Grad-CAM++.
func (s *sight) smoothWeights(w why, o *pb.MethodOptions) (weights [3]float64) {
	var d1, d2, d3 [3]float64
	noisy := s.noisy(o)
	for _, n := range noisy {
		for k, slope := range n.slope(w) {
			g := slope / s.z
			d1[k] += g / float64(len(noisy))
			d2[k] += g * g / float64(len(noisy))
			d3[k] += g * g * g / float64(len(noisy))
		}
	}
	for k := range weights {
		if d2[k] > 0 {
			weights[k] = s.z * d2[k] / (2*d2[k] + s.sums[k]*d3[k]) * max(d1[k], 0)
		}
	}
	return weights
}

// integrated are Integrated Gradients, the change of the score, and how far the map is from adding up to it.
func (s *sight) integrated(w why, o *pb.MethodOptions) (h heat, change, gap float64) {
	from := s.baseline(o.GetIntegratedGradients().GetBaseline())
	steps := int(or(o.GetIntegratedGradients().GetSteps(), 50))
	var mean [3]float64
	for i := range steps + 1 {
		at := s.again(s.input.each(func(y, x, k int, v float64) float64 {
			return from[y][x][k] + float64(i)/float64(steps)*(v-from[y][x][k])
		}))
		part := 1 / float64(steps)
		if i == 0 || i == steps {
			part /= 2
		}
		for k, g := range at.early().gradient(w) {
			mean[k] += part * g
		}
	}
	total := 0.0
	h = newHeat(s.input.size()).each(func(y, x int, _ float64) float64 {
		sum := 0.0
		for k := range 3 {
			sum += (s.input[y][x][k] - from[y][x][k]) * mean[k]
		}
		total += sum
		return sum
	})
	change = s.score(w) - s.again(from).score(w)
	return h, change, math.Abs(total - change)
}

// baseline is the picture that shows nothing.
func (s *sight) baseline(b pb.Baseline) grid {
	sums, pixels := s.input.sums(), s.input.positions()
	return s.input.each(func(y, x, k int, _ float64) float64 {
		switch b {
		case pb.Baseline_BASELINE_BLACK:
			return s.black[k]
		case pb.Baseline_BASELINE_MEAN:
			return sums[k] / pixels
		case pb.Baseline_BASELINE_BLUR:
			return s.blurredAt(y, x, k)
		default:
			return 0
		}
	})
}

// blurredAt is a pixel under the Gaussian of 11×11 pixels with a deviation of 5.
func (s *sight) blurredAt(y, x, k int) float64 {
	height, width := s.input.size()
	sum, weights := 0.0, 0.0
	for dy := -5; dy <= 5; dy++ {
		for dx := -5; dx <= 5; dx++ {
			w := math.Exp(-float64(dy*dy+dx*dx) / 50)
			sum += w * s.input[min(max(y+dy, 0), height-1)][min(max(x+dx, 0), width-1)][k]
			weights += w
		}
	}
	return sum / weights
}
