// Package fakemodel is an explaind.Model that needs no TensorFlow: 2×2 average pooling, then global average pooling and
// one dense layer. Its probabilities and gradients are exact, by formula, so that whatever wraps a model can be tested
// with true numbers.
package fakemodel

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/explaind/explaind"
)

// Model has two layers: "block/features", the pooled feature map A = pool2×2(x), which gradients and class weights explain,
// and "frozen", the same map without a gradient.
type Model struct {
	spec    explaind.Spec
	weights [][]float32 // [class][channel]

	// BeforeRun, if set, is called at the beginning of every run, for tests that hold runs back or make them fail.
	BeforeRun func(ctx context.Context) error

	running atomic.Int64
	peak    atomic.Int64
	runs    atomic.Int64
	closed  atomic.Bool
}

// New returns a model for images [size, size, 3] with the labels as classes. The weight of class c for channel k is
// larger the nearer c is to k, so that a red picture is class 0, a green one class 1, a blue one class 2.
func New(size int, labels ...string) *Model {
	m := &Model{spec: explaind.Spec{
		Digest:        "fa4e" + labels[0],
		Signature:     "serving_default",
		Input:         explaind.Input{Name: "x", Height: size, Width: size, Channels: 3, DType: "float32", Gradients: true},
		Outputs:       []explaind.Output{{Name: "y", DType: "float32", Shape: []int{-1, len(labels)}}},
		Head:          explaind.Head{Output: "y", Activation: explaind.Softmax, Classes: len(labels), PooledLayer: "block/features"},
		Labels:        labels,
		Preprocessing: explaind.Preprocessing{Mode: explaind.ModeUnit, Resize: explaind.ResizeBilinear, Crop: explaind.CropNone},
		Layers: []explaind.Layer{
			{Name: "frozen", Op: "AvgPool", Height: size / 2, Width: size / 2, Channels: 3, Reason: "operation Frozen has no gradient"},
			{Name: "block/features", Aliases: []string{"features", "block/features/AvgPool:0"}, Op: "AvgPool", Height: size / 2, Width: size / 2, Channels: 3, Gradients: true, Resumable: true},
		},
		DefaultLayer: "block/features",
	}}
	for c := range labels {
		row := make([]float32, 3)
		for k := range row {
			d := float64(c - k)
			row[k] = float32(8*math.Exp(-d*d) - 2)
		}
		m.weights = append(m.weights, row)
	}
	return m
}

// Spec may be altered before the model is used.
func (m *Model) Spec() *explaind.Spec { return &m.spec }

// Runs is how many runs there were, Peak how many at once.
func (m *Model) Runs() int { return int(m.runs.Load()) }

// Peak is the largest number of runs at one time.
func (m *Model) Peak() int { return int(m.peak.Load()) }

// Closed tells whether Close was called.
func (m *Model) Closed() bool { return m.closed.Load() }

// Close fails while a run is under way or when it was called before: users of a closed model are what counting prevents.
func (m *Model) Close() error {
	if m.closed.Swap(true) || m.running.Load() != 0 {
		return explaind.Errorf(explaind.Internal, "CLOSED_IN_USE", "the model was closed twice or while it ran")
	}
	return nil
}

// begin counts a run in, unless it fails or BeforeRun panics.
func (m *Model) begin(ctx context.Context) error {
	if m.closed.Load() {
		return explaind.Errorf(explaind.Internal, "USED_AFTER_CLOSE", "the model was used after it was closed")
	}
	m.runs.Add(1)
	n := m.running.Add(1)
	begun := false
	defer func() {
		if !begun {
			m.running.Add(-1)
		}
	}()
	for peak := m.peak.Load(); n > peak && !m.peak.CompareAndSwap(peak, n); peak = m.peak.Load() {
	}
	if m.BeforeRun != nil {
		if err := m.BeforeRun(ctx); err != nil {
			return err
		}
	}
	begun = true
	return nil
}

// Predict is explaind.Model's.
func (m *Model) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.running.Add(-1)
	p, _ := m.forward(images)
	return p, nil
}

// PredictOutputs is Predict with the output y, the probabilities.
func (m *Model) PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	p, err := m.Predict(ctx, images)
	if err != nil {
		return nil, err
	}
	p.Outputs = []explaind.NamedTensor{{Name: "y", Tensor: p.Probabilities}}
	return p, nil
}

// Explain is explaind.Model's.
func (m *Model) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.running.Add(-1)
	p, maps := m.forward(r.Images)
	result := &explaind.ExplainResult{Prediction: p}
	layers := r.Layers
	if len(layers) == 0 {
		layers = []string{""}
	}
	for row := range r.Images.Rows() {
		logits, probabilities := p.Logits.Row(row).Data, p.Probabilities.Row(row).Data
		for _, layer := range layers {
			for _, t := range r.Targets[row] {
				class := t.Class
				if t.Rank > 0 {
					class = explaind.TopK(probabilities, t.Rank)[t.Rank-1]
				}
				e := explaind.Evidence{Row: row, Layer: layer, Class: class, Versus: t.Versus, Input: r.Images.Row(row),
					Logit: logits[class], Probability: probabilities[class]}
				e.Score = scoreOf(r.Score, t.Versus, class, logits, probabilities)
				slope := m.slope(r.Score, class, t.Versus, probabilities)
				if layer != "" {
					e.Activations = maps[row]
				}
				if r.Needs.Has(explaind.NeedsClassWeights) {
					e.ClassWeights = m.slope(explaind.ScoreLogit, class, t.Versus, probabilities)
				}
				if r.Needs.Has(explaind.NeedsHead) {
					e.HeadKernel, e.Probabilities = m.kernel(), probabilities
				}
				if r.Needs.Has(explaind.NeedsGradients) {
					e.Gradients = spread(slope, maps[row].Shape)
				}
				if r.Needs.Has(explaind.NeedsInputGradients) {
					e.InputGradients = spread(slope, e.Input.Shape)
				}
				result.Evidence = append(result.Evidence, e)
			}
		}
	}
	return result, nil
}

// PredictFrom is explaind.Model's: nothing passes by the only layer.
func (m *Model) PredictFrom(ctx context.Context, _ *explaind.Evidence, activations *explaind.Tensor) (*explaind.Prediction, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.running.Add(-1)
	maps := make([]*explaind.Tensor, activations.Rows())
	for row := range maps {
		maps[row] = activations.Row(row)
	}
	return m.predict(maps), nil
}

func scoreOf(score explaind.Score, versus, class int, logits, probabilities []float32) float32 {
	values := logits
	if score == explaind.ScoreProbability {
		values = probabilities
	}
	if versus >= 0 {
		return values[class] - values[versus]
	}
	return values[class]
}

// kernel is the dense layer's, [channels, classes].
func (m *Model) kernel() *explaind.Tensor {
	k := explaind.NewTensor(3, len(m.weights))
	for c, row := range m.weights {
		for channel, w := range row {
			k.Data[channel*len(m.weights)+c] = w
		}
	}
	return k
}

// forward returns the prediction and the feature map of each row.
func (m *Model) forward(images *explaind.Tensor) (*explaind.Prediction, []*explaind.Tensor) {
	maps := make([]*explaind.Tensor, images.Rows())
	for row := range maps {
		maps[row] = pool(images.Row(row))
	}
	return m.predict(maps), maps
}

// predict is what lies behind the feature maps.
func (m *Model) predict(maps []*explaind.Tensor) *explaind.Prediction {
	n, classes := len(maps), len(m.weights)
	p := &explaind.Prediction{Logits: explaind.NewTensor(n, classes), Probabilities: explaind.NewTensor(n, classes)}
	for row := range n {
		mean := average(maps[row])
		logits, probabilities := p.Logits.Row(row).Data, p.Probabilities.Row(row).Data
		var sum float64
		for c, w := range m.weights {
			for k, v := range mean {
				logits[c] += w[k] * v
			}
			sum += math.Exp(float64(logits[c]))
		}
		for c, l := range logits {
			probabilities[c] = float32(math.Exp(float64(l)) / sum)
		}
	}
	return p
}

// slope is ∂S/∂mean(A) per channel: w_c for the logit, P_c·(w_c − Σ_j P_j w_j) for the probability; minus that of versus.
func (m *Model) slope(score explaind.Score, class, versus int, probabilities []float32) []float32 {
	out := make([]float32, 3)
	for k := range out {
		out[k] = m.weights[class][k]
		if score == explaind.ScoreProbability {
			for j, w := range m.weights {
				out[k] -= probabilities[j] * w[k]
			}
			out[k] *= probabilities[class]
		}
	}
	if versus >= 0 {
		for k, v := range m.slope(score, versus, -1, probabilities) {
			out[k] -= v
		}
	}
	return out
}

// spread is ∂S/∂A, and ∂S/∂x: each of the Z positions of a channel has 1/Z of the slope. (An image of odd size has a last
// row and column without gradient; the gradient at the input is exact for even sizes only.)
func spread(slope []float32, shape []int) *explaind.Tensor {
	g := explaind.NewTensor(shape...)
	z := float32(shape[0] * shape[1])
	for i := range g.Data {
		g.Data[i] = slope[i%len(slope)] / z
	}
	return g
}

// pool averages 2×2 squares of x [H, W, C]; a last odd row or column is left out.
func pool(x *explaind.Tensor) *explaind.Tensor {
	h, w, c := x.Shape[0]/2, x.Shape[1]/2, x.Shape[2]
	out := explaind.NewTensor(h, w, c)
	for i := range h {
		for j := range w {
			for k := range c {
				at := func(di, dj int) float32 { return x.Data[((2*i+di)*x.Shape[1]+2*j+dj)*c+k] }
				out.Data[(i*w+j)*c+k] = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4
			}
		}
	}
	return out
}

func average(a *explaind.Tensor) []float32 {
	channels := a.Shape[2]
	mean := make([]float32, channels)
	for i, v := range a.Data {
		mean[i%channels] += v
	}
	for k := range mean {
		mean[k] /= float32(a.Shape[0] * a.Shape[1])
	}
	return mean
}
