package explain

import "github.com/explaind/explaind"

// weighted is Σ_k w_k A^k, or with EigenSmooth the first principal component of the w_k A^k, as the library
// pytorch-grad-cam has it.
func weighted(weights []float64, a *explaind.Tensor, o *explaind.MethodOptions) *explaind.Heatmap {
	if !o.EigenSmooth {
		return weightedSum(weights, a)
	}
	return component(a, func(i int) float64 { return weights[i%len(weights)] })
}

// component is the first principal component of a map of channels whose number i is multiplied by weight(i): the matrix
// [Z, C] of the products, each column less its mean, projected on its first right singular vector.
func component(a *explaind.Tensor, weight func(i int) float64) *explaind.Heatmap {
	m := newMatrix(a)
	for i := range m.values {
		m.values[i] *= weight(i)
	}
	m.centre()
	return m.principal()
}

// weightedEach is weighted with a weight for each position of each channel: of(g) of the gradient there.
func weightedEach(e *explaind.Evidence, o *explaind.MethodOptions, of weight) *explaind.Heatmap {
	a, g := e.Activations, e.Gradients
	if o.EigenSmooth {
		return component(a, func(i int) float64 { return of.one(g.Data[i]) })
	}
	h := explaind.NewHeatmap(a.Shape[0], a.Shape[1])
	channels := a.Shape[2]
	for i := range h.Values {
		from, to := i*channels, (i+1)*channels
		h.Values[i] = float32(of.sum(g.Data[from:to], a.Data[from:to]))
	}
	return h
}

// weight is what of a gradient counts.
type weight int

const (
	wholeGradient weight = iota
	positiveGradient
)

func (w weight) one(g float32) float64 {
	if w == positiveGradient {
		return positive(g)
	}
	return float64(g)
}

// sum is Σ_k of(g_k)·a_k, in four sums as dot has them.
func (w weight) sum(g, a []float32) float64 {
	var s [4]float64
	a = a[:len(g)]
	if w == positiveGradient {
		for k, v := range g {
			s[k&3] += positive(v) * float64(a[k])
		}
	} else {
		for k, v := range g {
			s[k&3] += float64(v) * float64(a[k])
		}
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
