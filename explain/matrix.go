package explain

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/explaind/explaind"
)

// matrix is a map of channels [H, W, C] read as [Z, C], one row per position.
type matrix struct {
	height, width, channels int
	values                  []float64
}

func newMatrix(x *explaind.Tensor) *matrix {
	m := &matrix{x.Shape[0], x.Shape[1], x.Shape[2], make([]float64, len(x.Data))}
	for i, v := range x.Data {
		m.values[i] = float64(v)
	}
	return m
}

// centre subtracts each column's mean.
func (m *matrix) centre() {
	means := make([]float64, m.channels)
	for i, v := range m.values {
		means[i%m.channels] += v
	}
	positions := float64(m.height * m.width)
	for i := range m.values {
		m.values[i] -= means[i%m.channels] / positions
	}
}

// principal is the projection O v_1 on the first right singular vector, turned so that its value of the largest
// magnitude is positive. It comes from the eigenvector of OᵀO or OOᵀ, whichever is smaller: O v_1 = σ_1 u_1. Numbers that
// are not finite make a map of NaN, which is flagged.
func (m *matrix) principal() *explaind.Heatmap {
	h := explaind.NewHeatmap(m.height, m.width)
	positions := m.height * m.width
	o := mat.NewDense(positions, m.channels, m.values)
	var gram mat.SymDense
	if m.channels <= positions {
		gram.SymOuterK(1, o.T())
	} else {
		gram.SymOuterK(1, o)
	}
	var eigen mat.EigenSym
	if total := mat.Sum(&gram); math.IsNaN(total) || math.IsInf(total, 0) || !eigen.Factorize(&gram, true) {
		for i := range h.Values {
			h.Values[i] = float32(math.NaN())
		}
		return h
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	last := gram.SymmetricDim() - 1 // eigenvalues are in ascending order
	projection := mat.NewVecDense(positions, nil)
	if m.channels <= positions {
		projection.MulVec(o, vectors.ColView(last))
	} else {
		projection.ScaleVec(math.Sqrt(max(eigen.Values(nil)[last], 0)), vectors.ColView(last))
	}
	sign := 1.0
	if mat.Min(projection) < -mat.Max(projection) {
		sign = -1
	}
	for i := range h.Values {
		h.Values[i] = float32(sign * projection.AtVec(i))
	}
	return h
}
