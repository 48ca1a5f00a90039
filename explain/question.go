package explain

import (
	"context"

	"github.com/explaind/explaind"
)

// Question is what a method works on that asks the model again: one image, one layer, and the targets on it, so that the
// targets share the passes that do not depend on them. A method reads it and never changes it.
type Question struct {
	Model    explaind.Model
	Evidence []*explaind.Evidence // of one image and one layer, one per target, as the method's Needs say
	Score    explaind.Score       // that the gradients and scores are of
	Options  *explaind.MethodOptions

	// Rows is how many images or activations one pass holds at most; at least 1.
	Rows int
	// Grow up-samples a map bilinearly to the image's size.
	Grow func(*explaind.Heatmap) *explaind.Heatmap
	// Baseline is the image [H, W, C] that shows nothing.
	Baseline func(explaind.Baseline) (*explaind.Tensor, error)
	// Step is called before each pass, with the rows that are done and their number in all. An error ends the method.
	Step func(ctx context.Context, done, total int) error
}

// Answer is the map of one target.
type Answer struct {
	Heatmap *explaind.Heatmap
	Flags   []explaind.Flag
	// Completeness is nil but for Integrated Gradients.
	Completeness *Completeness
}

// Completeness tells how well a map adds up to the change of the score that it explains.
type Completeness struct {
	ScoreChange float64 // S(x) − S(baseline)
	Gap         float64 // |Σ map − ScoreChange|
}

// AskFunc makes one map per target, in the order of the question's evidence. Errors are those of the model and of Step,
// or an Internal one as for Func.
type AskFunc func(ctx context.Context, q *Question) ([]Answer, error)

// image is x [H, W, C].
func (q *Question) image() *explaind.Tensor { return q.Evidence[0].Input }

// answers are the maps of the targets, without flags.
func answers(maps []*explaind.Heatmap) []Answer {
	out := make([]Answer, len(maps))
	for i, h := range maps {
		out[i].Heatmap = h
	}
	return out
}

// maps are zeros, one for each target.
func (q *Question) maps(height, width int) []*explaind.Heatmap {
	out := make([]*explaind.Heatmap, len(q.Evidence))
	for i := range out {
		out[i] = explaind.NewHeatmap(height, width)
	}
	return out
}

// batches runs pass for all rows from 0 to total, at most the given number at a time.
func (q *Question) batches(ctx context.Context, total, rows int, pass func(from, to int) error) error {
	for from := 0; from < total; from += rows {
		if err := q.Step(ctx, from, total); err != nil {
			return err
		}
		if err := pass(from, min(from+rows, total)); err != nil {
			return err
		}
	}
	return nil
}

// variants asks for the scores of images that fill makes, each a change of the image: it gets a copy of x. tell gets row
// i's score of each target.
func (q *Question) variants(ctx context.Context, total int, fill func(i int, x []float32), tell func(i, target int, score float64)) error {
	return q.batches(ctx, total, q.Rows, func(from, to int) error {
		images := q.copies(to - from)
		for i := from; i < to; i++ {
			fill(i, images.Row(i-from).Data)
		}
		p, err := q.Model.Predict(ctx, images)
		if err != nil {
			return err
		}
		q.tell(p, from, tell)
		return nil
	})
}

// copies are n copies of the image [n, H, W, C].
func (q *Question) copies(n int) *explaind.Tensor {
	x := q.image()
	out := explaind.NewTensor(append([]int{n}, x.Shape...)...)
	for i := range n {
		copy(out.Row(i).Data, x.Data)
	}
	return out
}

// tell reads the score of each target from each row of a prediction, whose first row is number from.
func (q *Question) tell(p *explaind.Prediction, from int, tell func(i, target int, score float64)) {
	for row := range p.Logits.Rows() {
		for t, e := range q.Evidence {
			tell(from+row, t, scoreOf(p, row, e, q.Score))
		}
	}
}

func scoreOf(p *explaind.Prediction, row int, e *explaind.Evidence, score explaind.Score) float64 {
	values := p.Logits.Row(row).Data
	if score == explaind.ScoreProbability {
		values = p.Probabilities.Row(row).Data
	}
	s := float64(values[e.Class])
	if e.Versus >= 0 {
		s -= float64(values[e.Versus])
	}
	return s
}

// slopes asks for the gradients of images that fill makes, each a change of the image: it gets a copy of x. tell gets
// row i's evidence for each target.
func (q *Question) slopes(ctx context.Context, total int, layer string, needs explaind.Needs, fill func(i int, x []float32), tell func(i, target int, e *explaind.Evidence)) error {
	var layers []string
	if layer != "" {
		layers = []string{layer}
	}
	targets := make([]explaind.Target, len(q.Evidence))
	for t, e := range q.Evidence {
		targets[t] = explaind.Target{Class: e.Class, Versus: e.Versus}
	}
	rows := max(q.Rows/len(targets), 1) // the backward pass has one row per image and target
	return q.batches(ctx, total, rows, func(from, to int) error {
		r := &explaind.ExplainRequest{Images: q.copies(to - from), Layers: layers, Score: q.Score, Needs: needs}
		for i := from; i < to; i++ {
			fill(i, r.Images.Row(i-from).Data)
			r.Targets = append(r.Targets, targets)
		}
		found, err := q.Model.Explain(ctx, r)
		if err != nil {
			return err
		}
		for k := range found.Evidence {
			tell(from+k/len(targets), k%len(targets), &found.Evidence[k])
		}
		return nil
	})
}

// checkQuestion makes sure that there are targets, and that their evidence fits the needs; an image only, if no layer is
// looked at.
func checkQuestion(q *Question, layer bool, needs explaind.Needs) error {
	if q == nil || len(q.Evidence) == 0 || q.Rows < 1 {
		return malformed("the question holds no evidence")
	}
	for _, e := range q.Evidence {
		if err := checkImage(e, 0); err != nil {
			return err
		}
		if !layer {
			continue
		}
		if err := check(e, needs); err != nil {
			return err
		}
	}
	return nil
}
