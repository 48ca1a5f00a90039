package tfmodel

import (
	"context"
	"slices"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// Explain collects the evidence of every (row, layer, target), see explaind.Model.
//
// One target a row, known before the run or the most probable class, costs one run for prediction and gradients
// together. Otherwise the forward pass runs once for the predictions and activations, and the gradients of each layer
// come from a second run that is fed the activations, one row per (image, target), and does not touch what lies before
// the layer. Gradients of the input have nothing before them: they run the image again for each target.
func (m *Model) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	layers, err := m.checkExplain(r)
	if err != nil {
		return nil, err
	}
	found := newGathered(len(layers))
	if t := oneRun(r); t != nil || !r.Needs.OfScore() {
		err = m.explainAtOnce(ctx, r, layers, t, found)
	} else {
		err = m.explainRows(ctx, r, layers, found)
	}
	if err != nil {
		return nil, err
	}
	return m.evidence(ctx, r, layers, found)
}

// gathered is what the runs brought. What was not asked for is nil.
type gathered struct {
	prediction  *explaind.Prediction
	activations []*explaind.Tensor   // per layer [N, H, W, C]
	cut         [][]*explaind.Tensor // per layer, what its backward pass wants beside them, [N, …] each
	ahead       [][]*explaind.Tensor // per layer, what the pass on to the logits wants

	// These have one row per (row, target), in that order.
	gradients []*explaind.Tensor // per layer
	ofInput   *explaind.Tensor
	guided    *explaind.Tensor
}

func newGathered(layers int) *gathered {
	return &gathered{
		prediction:  &explaind.Prediction{},
		activations: make([]*explaind.Tensor, layers),
		cut:         make([][]*explaind.Tensor, layers),
		ahead:       make([][]*explaind.Tensor, layers),
		gradients:   make([]*explaind.Tensor, layers),
	}
}

// wishes are tensors to fetch, and where they go.
type wishes struct {
	refs []graphdef.Ref
	to   []**explaind.Tensor
}

func (w *wishes) add(ref graphdef.Ref, to **explaind.Tensor) {
	w.refs, w.to = append(w.refs, ref), append(w.to, to)
}

func (w *wishes) fulfil(results []*explaind.Tensor) {
	for i, r := range results {
		*w.to[i] = r
	}
}

// wishForward asks for the prediction and the activations, in the order of forwardFetches, which are warmed.
func (m *Model) wishForward(w *wishes, layers []int, found *gathered) {
	w.add(m.program.Score.Logits, &found.prediction.Logits)
	w.add(m.program.Score.Probabilities, &found.prediction.Probabilities)
	for i, l := range layers {
		w.add(m.program.Layers[l].Activations, &found.activations[i])
	}
}

func (m *Model) forwardFetches(layers []int) []graphdef.Ref {
	var w wishes
	m.wishForward(&w, layers, newGathered(len(layers)))
	return w.refs
}

// addAll asks for tensors of one layer.
func (w *wishes) addAll(refs []graphdef.Ref) []*explaind.Tensor {
	tensors := make([]*explaind.Tensor, len(refs))
	for i, ref := range refs {
		w.add(ref, &tensors[i])
	}
	return tensors
}

// wishCrossing asks for what passes by the layers, for the passes that start there.
func (m *Model) wishCrossing(w *wishes, layers []int, needs explaind.Needs, backward bool, found *gathered) {
	for i, l := range layers {
		t := m.program.Layers[l]
		if backward && needs.Has(explaind.NeedsGradients) && t.Feedable {
			found.cut[i] = w.addAll(t.Cut)
		}
		if needs.Has(explaind.NeedsCrossing) {
			found.ahead[i] = w.addAll(t.Ahead)
		}
	}
}

func (m *Model) wishOfInput(w *wishes, needs explaind.Needs, found *gathered) {
	if needs.Has(explaind.NeedsInputGradients) {
		w.add(m.program.InputGradients, &found.ofInput)
	}
	if needs.Has(explaind.NeedsGuidedGradients) {
		w.add(m.program.GuidedGradients, &found.guided)
	}
}

// explainAtOnce fetches everything in one run.
func (m *Model) explainAtOnce(ctx context.Context, r *explaind.ExplainRequest, layers []int, t *targets, found *gathered) error {
	var w wishes
	m.wishForward(&w, layers, found)
	if r.Needs.Has(explaind.NeedsGradients) {
		for i, l := range layers {
			w.add(m.program.Layers[l].Gradients, &found.gradients[i])
		}
	}
	m.wishOfInput(&w, r.Needs, found)
	m.wishCrossing(&w, layers, r.Needs, false, found)
	if !r.Needs.OfScore() {
		t = nil
	}
	results, err := m.forward(ctx, w.refs, r.Images, t)
	w.fulfil(results)
	return err
}

// explainRows runs forward once, then backward with one row per (image, target): once for all layers that lie on one
// chain, and once for the input.
func (m *Model) explainRows(ctx context.Context, r *explaind.ExplainRequest, layers []int, found *gathered) error {
	var w wishes
	m.wishForward(&w, layers, found)
	m.wishCrossing(&w, layers, r.Needs, true, found)
	results, err := m.forward(ctx, w.refs, r.Images, nil)
	if err != nil {
		return err
	}
	w.fulfil(results)
	rows, t := expand(r, found.prediction.Logits)
	if r.Needs.Has(explaind.NeedsGradients) {
		if err := m.backward(ctx, r.Images, layers, rows, t, found); err != nil {
			return err
		}
	}
	var again wishes
	m.wishOfInput(&again, r.Needs, found)
	if len(again.refs) > 0 {
		results, err = inParts(len(rows), r.Images, func(from, to int) ([]*explaind.Tensor, error) {
			return m.forward(ctx, again.refs, r.Images.Gather(rows[from:to]), t.slice(from, to))
		})
		again.fulfil(results)
	}
	return err
}

// expand lists one entry per (row, target): the image's row and the resolved target.
func expand(r *explaind.ExplainRequest, logits *explaind.Tensor) (rows []int, t *targets) {
	t = &targets{ofProbability: r.Score == explaind.ScoreProbability}
	for row, list := range r.Targets {
		var order []int
		for _, target := range list {
			rows = append(rows, row)
			t.class = append(t.class, int32(resolve(target, logits.Row(row).Data, &order)))
			t.versus = append(t.versus, int32(target.Versus))
		}
	}
	return rows, t
}

// backward brings the gradients of the layers. Each run starts at the earliest layer that is left, and brings the gradients of
// all that lie behind it as well.
func (m *Model) backward(ctx context.Context, images *explaind.Tensor, layers, rows []int, t *targets, found *gathered) error {
	left := make([]int, len(layers)) // positions in layers
	for i := range left {
		left[i] = i
	}
	slices.SortStableFunc(left, func(a, b int) int { return layers[a] - layers[b] }) // layers are in forward order
	for len(left) > 0 {
		first := left[0]
		chain := m.program.Layers[layers[first]].Chain
		var w wishes
		var later []int
		for _, i := range left {
			if i == first || layers[i] == layers[first] || slices.Contains(chain, layers[i]) {
				w.add(m.program.Layers[layers[i]].Gradients, &found.gradients[i])
			} else {
				later = append(later, i)
			}
		}
		results, err := inParts(len(rows), images, func(from, to int) ([]*explaind.Tensor, error) {
			return m.backwardFrom(ctx, images, layers[first], w.refs, rows[from:to], t.slice(from, to), found.activations[first], found.cut[first])
		})
		if err != nil {
			return err
		}
		w.fulfil(results)
		left = later
	}
	return nil
}

// A backward pass keeps the activations of all layers for each of its rows, so one run has at most so many rows, and so many
// numbers of their images. A forward pass keeps two or three layers' at a time: of VGG16, 21 numbers each for one of the
// image, which makes 2 GB of the largest run.
const (
	backwardRows    = 8
	backwardNumbers = 4 << 20
	forwardNumbers  = 8 << 20
)

// rowsOf is how many of the images hold so many numbers; at least one.
func rowsOf(numbers int, images *explaind.Tensor) int {
	return max(numbers/explaind.Elements(images.Shape[1:]), 1)
}

// gradientSet are the tensors that only a backward pass brings.
type gradientSet map[graphdef.Ref]bool

func newGradientSet(p *program) gradientSet {
	set := gradientSet{p.InputGradients: true, p.GuidedGradients: true}
	for _, l := range p.Layers {
		set[l.Gradients] = true
	}
	delete(set, graphdef.Ref{})
	return set
}

// among tells whether a run of the fetches is a backward pass.
func (g gradientSet) among(fetches []graphdef.Ref) bool {
	return slices.ContainsFunc(fetches, func(ref graphdef.Ref) bool { return g[ref] })
}

// inParts runs n rows in as many runs as their images' size wants, and stacks the results. The end of a context is noticed
// between them.
func inParts(n int, images *explaind.Tensor, run func(from, to int) ([]*explaind.Tensor, error)) ([]*explaind.Tensor, error) {
	rows := min(rowsOf(backwardNumbers, images), backwardRows)
	var parts [][]*explaind.Tensor
	for from := 0; from < n; from += rows {
		results, err := run(from, min(from+rows, n))
		if err != nil {
			return nil, err
		}
		parts = append(parts, results)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return concatenate(parts), nil
}

// backwardFrom runs from a layer's activations and what else passes by it where that can be fed, else from the images.
func (m *Model) backwardFrom(ctx context.Context, images *explaind.Tensor, l int, gradients []graphdef.Ref, rows []int, t *targets, activations *explaind.Tensor, cut []*explaind.Tensor) ([]*explaind.Tensor, error) {
	layer := m.program.Layers[l]
	if !layer.Feedable {
		return m.forward(ctx, gradients, images.Gather(rows), t)
	}
	in, err := m.feedLayer(layer.Activations, activations.Gather(rows), layer.Cut, gatherAll(cut, rows))
	if err != nil {
		return nil, err
	}
	defer in.free()
	if err := t.feed(in, m.program.Score); err != nil {
		return nil, internal(err)
	}
	return m.fetch(ctx, gradients, in)
}
