// Package faithfulness measures how much one heatmap has to do with what the model looks at: it changes the picture where
// the map says that it matters, asks the model again, and compares probabilities. It knows nothing of TensorFlow, of
// methods, of image files or of protocols; the model is a function.
//
// The measures answer different questions. Average drop, increase and average gain ask whether the relevant part alone is
// enough; deletion, insertion and ROAD ask whether the order of the pixels is right. Each has the blind spots of the way in
// which it removes pixels, so that a map should only be called better if several of them agree.
package faithfulness

import (
	"context"
	"slices"

	"github.com/explaind/explaind"
)

// NonFiniteProbability is the reason of the error of a probe that answers with NaN or an infinity.
const NonFiniteProbability = "NON_FINITE_PROBABILITY"

// Probe returns the probability of the explained class for each row of images [N, H, W, C], which are in the model's own
// units. It may keep the images. Measure returns its errors as they are.
type Probe func(ctx context.Context, images *explaind.Tensor) ([]float32, error)

// Report holds the measures of one map of one picture x for one class. Y is the class's probability for x.
type Report struct {
	// Probability is Y, from 0 to 1.
	Probability float32
	// MaskedProbability is O, the class's probability for x times the map stretched to 0…1, from 0 to 1.
	MaskedProbability float32

	// AverageDrop is max(0, Y−O)/Y, from 0 to 1; 0 if Y is 0. Lower is better.
	AverageDrop float32
	// Increase tells whether O > Y. Its mean over pictures, the rate of increase, is better when higher.
	Increase bool
	// AverageGain is max(0, O−Y)/(1−Y), from 0 to 1; 0 if Y is 1. Higher is better.
	AverageGain float32

	// Deletion is the area under DeletionCurve, from 0 to 1. Lower is better.
	Deletion float32
	// Insertion is the area under InsertionCurve, from 0 to 1. Higher is better.
	Insertion float32
	// ROAD is half the mean advantage of removing the least relevant pixels over removing the most relevant ones, from
	// −0.5 to 0.5. Higher is better; about 0 is a map that says nothing.
	ROAD float32

	// DeletionCurve holds the probabilities of the class after 0, 5, …, 100 % of the pixels, the most relevant ones
	// first, were set to zero: 21 values, the first of which is Y.
	DeletionCurve []float32
	// InsertionCurve holds the probabilities of the class after 0, 5, …, 100 % of the pixels, the most relevant ones
	// first, were put into the blurred picture: 21 values, the last of which is Y.
	InsertionCurve []float32
}

// Passes is how many rows Measure asks for: x itself, x times the map, the steps of the two curves without the one of each
// that is x itself, and two pictures for each share of ROAD.
const Passes = 2 + 2*steps + 2*len(shares)

// Measure measures one map. x [H, W, C] is the model's input in its own units, blurred [H, W, C] the same picture blurred,
// from which insertion starts, and relevance, H×W, says how much each pixel speaks for the class, in any unit: of its
// values only the order and the position between the smallest and the largest count. Values that are not finite count as
// 0. The model is asked for at most rows pictures at a time, at least one; no more than that are held. seed chooses the
// noise of ROAD; the same seed gives the same pictures. Nothing that was passed is changed.
//
// The errors are Probe's; Canceled or DeadlineExceeded if ctx ends, which is looked at before each picture is made;
// FailedPrecondition if a probability is not finite; Internal if shapes do not fit each other.
func Measure(ctx context.Context, ask Probe, x, blurred *explaind.Tensor, relevance *explaind.Heatmap, rows int, seed uint64) (*Report, error) {
	if err := check(x, blurred, relevance); err != nil {
		return nil, err
	}
	ranking := rank(relevance)
	original := func(out []float32) { copy(out, x.Data) }
	p, err := run(ctx, ask, x.Shape, rows, slices.Concat(
		[]pass{original, masked(x, ranking)},
		deletions(x, ranking),
		insertions(x, blurred, ranking),
		removals(x, ranking, seed),
	))
	if err != nil {
		return nil, err
	}

	report := &Report{Probability: p[0], MaskedProbability: p[1]}
	report.AverageDrop, report.Increase, report.AverageGain = confidence(p[0], p[1])
	deletion, insertion, road := p[2:2+steps], p[2+steps:2+2*steps], p[2+2*steps:]
	report.DeletionCurve = slices.Concat(p[:1], deletion)
	report.InsertionCurve = slices.Concat(insertion, p[:1])
	report.Deletion, report.Insertion = area(report.DeletionCurve), area(report.InsertionCurve)
	report.ROAD = advantage(road)
	return report, nil
}

// check makes sure that the parts fit each other. Nothing here indexes what was not checked.
func check(x, blurred *explaind.Tensor, relevance *explaind.Heatmap) error {
	switch {
	case x == nil || len(x.Shape) != 3 || slices.Min(x.Shape) < 1 || len(x.Data) != explaind.Elements(x.Shape):
		return malformed("the picture must be [H, W, C], got %v", x)
	case blurred == nil || !slices.Equal(blurred.Shape, x.Shape) || len(blurred.Data) != len(x.Data):
		return malformed("the blurred picture must be of the picture's shape %v, got %v", x.Shape, blurred)
	case relevance == nil || relevance.Height != x.Shape[0] || relevance.Width != x.Shape[1] || len(relevance.Values) != x.Shape[0]*x.Shape[1]:
		return malformed("the map must be of the picture's size %d×%d", x.Shape[0], x.Shape[1])
	}
	return nil
}

func malformed(format string, args ...any) error {
	e := explaind.Errorf(explaind.Internal, "MALFORMED_FAITHFULNESS", "faithfulness cannot be measured: "+format, args...)
	e.Message += "; this is a fault of the server, please report it with the model's description"
	return e
}
