package explain

import (
	"context"
	"math"

	"github.com/explaind/explaind"
)

// smoothGrad is SmoothGrad and its kin, of n copies of the image with normal noise of σ = level · (max x − min x):
//
//	G_i = ∂S/∂x at x + N(0, σ²)
//	SmoothGrad  M = max_c |1/n Σ_i G_i|
//	VarGrad     M = max_c 1/n Σ_i (G_i − mean G)²
//	SquareGrad  M = max_c 1/n Σ_i G_i²
//
// Sources: Smilkov et al., SmoothGrad: removing noise by adding noise, arXiv 1706.03825, section 3; Adebayo et al., Local
// Explanation Methods for Deep Neural Networks Lack Sensitivity to Parameter Values, arXiv 1810.03307 (VarGrad); Hooker et
// al., A Benchmark for Interpretability Methods in Deep Neural Networks, NeurIPS 2019 (SquareGrad).
func smoothGrad(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, false, 0); err != nil {
		return nil, err
	}
	x := q.image()
	sums := make([]moments, len(q.Evidence))
	for t := range sums {
		sums[t] = newMoments(len(x.Data))
	}
	samples := noiseSamples(q.Options)
	disturb := noiseOf(x, q.Options).disturb
	err := q.slopes(ctx, samples, "", explaind.NeedsInputGradients, disturb, func(_, t int, e *explaind.Evidence) {
		sums[t].add(e.InputGradients.Data)
	})
	if err != nil {
		return nil, err
	}
	out := make([]Answer, len(sums))
	for t := range sums {
		statistic := &explaind.Tensor{Shape: x.Shape, Data: sums[t].statistic(q.Options.Noise.Statistic)}
		out[t].Heatmap = largest(statistic)
	}
	return out, nil
}

// moments gathers, for each of many numbers, what mean and variance need (Welford's recurrence).
type moments struct {
	n             float64
	mean, squares []float64 // squares is Σ (x − mean)²
}

func newMoments(numbers int) moments {
	return moments{mean: make([]float64, numbers), squares: make([]float64, numbers)}
}

func (m *moments) add(values []float32) {
	m.n++
	for i, v := range values {
		delta := float64(v) - m.mean[i]
		m.mean[i] += delta / m.n
		m.squares[i] += delta * (float64(v) - m.mean[i])
	}
}

func (m *moments) statistic(s explaind.NoiseStatistic) []float32 {
	out := make([]float32, len(m.mean))
	for i, mean := range m.mean {
		variance := m.squares[i] / math.Max(m.n, 1)
		switch s {
		case explaind.NoiseVariance:
			out[i] = float32(variance)
		case explaind.NoiseSquare:
			out[i] = float32(variance + mean*mean)
		default:
			out[i] = float32(mean)
		}
	}
	return out
}
