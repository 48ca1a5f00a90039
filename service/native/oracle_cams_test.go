package native_test

import (
	"math"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// raw is a method's map before normalising: at the layer's resolution, or at the input's if it explains that.
func (s *sight) raw(t *testing.T, m pb.Method, w why, o *pb.MethodOptions) heat {
	t.Helper()
	switch m {
	case cam:
		return s.sum(s.slope(why{false, w.class, w.versus}), o)
	case gradCAM:
		return s.sum(s.gradient(w), o).relu() // the mean over positions that all have g
	case gradCAMpp:
		return s.sum(s.plusPlus(w, o), o).relu()
	case hiResCAM:
		return s.sum(s.gradient(w), o)
	case xGradCAM:
		weights := s.gradient(w)
		for k, sum := range s.sums {
			weights[k] *= sum / (sum + 1e-6)
		}
		return s.sum(weights, o).relu()
	case layerCAM:
		weights := s.gradient(w)
		for k, g := range weights {
			weights[k] = max(g, 0)
		}
		return s.sum(weights, o).relu()
	case eigenCAM:
		return principal(s.features)
	case eigenGradCAM:
		g := s.gradient(w)
		return principal(centred(s.features.each(func(_, _, k int, a float64) float64 { return g[k] * a })))
	case article:
		return s.sum(s.gradient(why{true, w.class, w.versus}), nil).relu()
	case articlepp:
		weights := s.gradient(why{true, w.class, w.versus})
		for k, g := range weights { // α is the same everywhere, so that α/Σα = 1/z
			weights[k] = math.Exp(s.probs[w.class]) * max(g, 0)
		}
		return s.sum(weights, nil).relu()
	case articleCAM: // the mean of the kernel's first row, 1 + y + 2c − 3k over y 0…1, c 0…2
		return s.sum([3]float64{3.5, 0.5, -2.5}, nil)
	case guidedBackprop:
		return s.guided(w)
	case guidedGradCAM, guidedGradCAMpp:
		coarse := map[pb.Method]pb.Method{guidedGradCAM: gradCAM, guidedGradCAMpp: gradCAMpp}[m]
		up := s.raw(t, coarse, w, o).bilinear(s.input.size())
		return s.guided(w).each(func(y, x int, v float64) float64 { return v * up[y][x] })
	case scoreCAM:
		return s.sum(s.scoreWeights(w, o), o).relu()
	case ablationCAM:
		return s.sum(s.ablationWeights(w), o).relu()
	case smoothGradCAMpp:
		return s.sum(s.smoothWeights(w, o), o).relu()
	case saliency:
		return s.steepest(s.early().gradient(w))
	case gradientXInput:
		return s.early().sum(s.early().gradient(w), nil)
	case smoothGrad:
		return s.smooth(w, o)
	case integratedGradients:
		h, _, _ := s.integrated(w, o)
		return h
	case occlusion:
		return s.occluded(w, o)
	case rise:
		return s.risen(w, o)
	}
	t.Fatalf("the oracle does not know %v: add its formula, in float64 and without the product's code, to raw in oracle_cams_test.go", m)
	return nil
}

// sum is Σ_k w_k A^k, or its first principal component.
func (s *sight) sum(weights [3]float64, o *pb.MethodOptions) heat {
	terms := s.features.each(func(_, _, k int, a float64) float64 { return weights[k] * a })
	if o.GetEigenSmooth() {
		return principal(centred(terms))
	}
	return newHeat(terms.size()).each(func(y, x int, _ float64) float64 { return terms[y][x][0] + terms[y][x][1] + terms[y][x][2] })
}

// plusPlus are the weights of Grad-CAM++. All positions of a channel have the same g and the same α.
func (s *sight) plusPlus(w why, o *pb.MethodOptions) (weights [3]float64) {
	switch o.GetGradCamPlusPlusForm() {
	case softmaxForm:
		for k := range weights {
			d, numerator, denominator := s.softmaxAlpha(w.class, k)
			weights[k] = s.z * numerator / denominator * max(s.probs[w.class]*d, 0)
		}
	case authorsForm:
		for k, g := range s.gradient(w) {
			weights[k] = max(g, 0) // α/Σα = 1/z, and there are z positions
		}
	default:
		for k, g := range s.gradient(w) {
			if g > 0 {
				weights[k] = s.z * g * g * g / (2*g*g + s.sums[k]*g*g*g)
			}
		}
	}
	return weights
}

// softmaxAlpha are d and the two parts of α of a channel, for the softmax.
func (s *sight) softmaxAlpha(class, k int) (d, numerator, denominator float64) {
	var mu, v, third float64
	for m, p := range s.probs {
		mu += p * weight(m, k) / s.z
	}
	for m, p := range s.probs {
		v += p * math.Pow(weight(m, k)/s.z-mu, 2)
		third += p * math.Pow(weight(m, k)/s.z-mu, 3)
	}
	d = weight(class, k)/s.z - mu
	numerator = d*d - v
	return d, numerator, 2*numerator + s.sums[k]*(d*d*d-3*d*v-third)
}

// guided is max_c |R| of the made-up gradients of guided backpropagation.
func (s *sight) guided(w why) heat {
	height, width := s.input.size()
	return newHeat(height, width).each(func(y, x int, _ float64) float64 {
		most := 0.0
		for c := range 3 {
			most = max(most, math.Abs(float64(madeUp(y, x, c, w.class))))
		}
		return most
	})
}

// centred is a grid whose channels have the mean 0.
func centred(g grid) grid {
	sums := g.sums()
	return g.each(func(_, _, k int, v float64) float64 { return v - sums[k]/g.positions() })
}

// principal is the projection of the positions on the first right singular vector, found by power iteration.
func principal(g grid) heat {
	var gram [3][3]float64
	g.each(func(y, x, k int, a float64) float64 {
		for j, b := range g[y][x] {
			gram[k][j] += a * b
		}
		return 0
	})
	v := [3]float64{0.7, 0.5, 0.3}
	for range 100_000 {
		var next [3]float64
		for k, row := range gram {
			next[k] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
		}
		if length := math.Sqrt(next[0]*next[0] + next[1]*next[1] + next[2]*next[2]); length > 0 {
			v = [3]float64{next[0] / length, next[1] / length, next[2] / length}
		}
	}
	h := newHeat(g.size()).each(func(y, x int, _ float64) float64 {
		return g[y][x][0]*v[0] + g[y][x][1]*v[1] + g[y][x][2]*v[2]
	})
	if lo, hi := h.extremes(); -lo > hi {
		h = h.each(func(_, _ int, v float64) float64 { return -v })
	}
	return h
}
