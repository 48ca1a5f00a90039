package faithfulness

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

// answering is a model of one number for each picture.
func answering(of func(picture []float32) float32) Probe {
	return func(_ context.Context, images *explaind.Tensor) ([]float32, error) {
		probabilities := make([]float32, images.Rows())
		for row := range probabilities {
			probabilities[row] = of(images.Row(row).Data)
		}
		return probabilities, nil
	}
}

func repeated(value float32, n int) []float32 { return slices.Repeat([]float32{value}, n) }

// A model that looks at nothing.
func TestConstantModel(t *testing.T) {
	for _, p := range []float32{0, 0.3, 1} {
		x := photo([]int{9, 11, 3})
		got, err := Measure(t.Context(), answering(func([]float32) float32 { return p }), x, x, smooth(9, 11, 3), 8, 0)
		if err != nil {
			t.Fatal(err)
		}
		curve := repeated(p, 21)
		want := &Report{Probability: p, MaskedProbability: p, Deletion: p, Insertion: p, DeletionCurve: curve, InsertionCurve: curve}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("P = %v: got %+v", p, got)
		}
	}
}

// A picture of 4×5 with one bright pixel, and a model that is sure if that pixel is bright: one step is one pixel.
func TestBestAndWorstMap(t *testing.T) {
	const bright = 7
	x, dark := explaind.NewTensor(4, 5, 1), explaind.NewTensor(4, 5, 1)
	x.Data[bright] = 1
	sure := answering(func(picture []float32) float32 {
		if picture[bright] > 0.5 {
			return 1
		}
		return 0
	})
	best, worst := explaind.NewHeatmap(4, 5), explaind.NewHeatmap(4, 5)
	best.Values[bright], worst.Values[bright] = 3, -3

	for _, c := range []struct {
		what      string
		relevance *explaind.Heatmap
		want      Report
	}{
		{"best", best, Report{
			Probability: 1, MaskedProbability: 1,
			Deletion: .5 / 20, DeletionCurve: slices.Concat(repeated(1, 1), repeated(0, 20)),
			Insertion: 19.5 / 20, InsertionCurve: slices.Concat(repeated(0, 1), repeated(1, 20)),
			ROAD: .5,
		}},
		{"worst", worst, Report{
			Probability: 1, AverageDrop: 1,
			Deletion: 19.5 / 20, DeletionCurve: slices.Concat(repeated(1, 20), repeated(0, 1)),
			Insertion: .5 / 20, InsertionCurve: slices.Concat(repeated(0, 20), repeated(1, 1)),
			ROAD: -.5,
		}},
	} {
		got, err := Measure(t.Context(), sure, x, dark, c.relevance, 16, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s map: got %+v\nwant %+v", c.what, *got, c.want)
		}
	}
}

// From 0.2 to 0.6: nothing of the drop, half of what was missing. And quotients without a denominator.
func TestConfidence(t *testing.T) {
	for _, c := range []struct {
		y, o, drop, gain float32
		increase         bool
	}{
		{y: .2, o: .6, gain: .5, increase: true},
		{y: .8, o: .2, drop: .75},
		{y: .5, o: .5},
		{y: 0, o: 0},
		{y: 0, o: .25, gain: .25, increase: true},
		{y: 1, o: .25, drop: .75},
		{y: 1, o: 1},
	} {
		drop, increase, gain := confidence(c.y, c.o)
		if math.Abs(float64(drop-c.drop)) > 1e-6 || math.Abs(float64(gain-c.gain)) > 1e-6 || increase != c.increase {
			t.Errorf("Y %v, O %v: drop %v, increase %v, gain %v; want %v, %v, %v", c.y, c.o, drop, increase, gain, c.drop, c.increase, c.gain)
		}
	}
}

func TestRanking(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		values []float32
		mask   []float64
		order  []int
	}{
		{[]float32{1, 3, -1, 3}, []float64{.5, 1, 0, 1}, []int{1, 3, 0, 2}},
		{[]float32{2, 2, 2}, []float64{0, 0, 0}, []int{0, 1, 2}},
		{[]float32{-2, nan, inf, -1, -inf}, []float64{0, 1, 1, .5, 1}, []int{1, 2, 4, 3, 0}}, // not finite: 0
		{[]float32{-math.MaxFloat32, 0, math.MaxFloat32}, []float64{0, .5, 1}, []int{2, 1, 0}},
		{[]float32{nan}, []float64{0}, []int{0}},
	} {
		values := slices.Clone(c.values)
		r := rank(&explaind.Heatmap{Height: 1, Width: len(values), Values: values})
		if !slices.Equal(r.mask, c.mask) || !slices.Equal(r.order, c.order) {
			t.Errorf("%v: mask %v, order %v; want %v, %v", c.values, r.mask, r.order, c.mask, c.order)
		}
	}
}

// How the pictures are put into batches must not show, and nothing that was passed may change.
func TestBatches(t *testing.T) {
	x, blurred, relevance := photo([]int{10, 8, 3}), photo([]int{10, 8, 3}), smooth(10, 8, 4)
	for i := range blurred.Data {
		blurred.Data[i] /= 2
	}
	before := [][]float32{slices.Clone(x.Data), slices.Clone(blurred.Data), slices.Clone(relevance.Values)}
	model := answering(func(picture []float32) float32 {
		sum := 0.
		for i, v := range picture {
			sum += float64(v) * math.Sin(float64(i))
		}
		return float32(1 / (1 + math.Exp(-sum/8)))
	})
	var first *Report
	for _, rows := range []int{1, 7, Passes, 1000, 0, -3} {
		asked := 0
		kept := map[*float32]bool{}
		got, err := Measure(t.Context(), func(ctx context.Context, images *explaind.Tensor) ([]float32, error) {
			if n := images.Rows(); n > max(rows, 1) || !slices.Equal(images.Shape, []int{n, 10, 8, 3}) {
				t.Errorf("%d rows allowed, asked for %v", rows, images.Shape)
			}
			if kept[&images.Data[0]] {
				t.Error("a batch is used twice, though the model may keep it")
			}
			kept[&images.Data[0]] = true
			asked += images.Rows()
			return model(ctx, images)
		}, x, blurred, relevance, rows, 3)
		if err != nil {
			t.Fatal(err)
		}
		if asked != Passes || Passes != 50 {
			t.Errorf("asked for %d rows, Passes is %d", asked, Passes)
		}
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%d rows at a time: %+v, one at a time: %+v", rows, got, first)
		}
	}
	if !slices.Equal(x.Data, before[0]) || !slices.Equal(blurred.Data, before[1]) || !slices.Equal(relevance.Values, before[2]) {
		t.Error("what was passed has changed")
	}
	if first.DeletionCurve[0] != first.Probability || first.InsertionCurve[20] != first.Probability {
		t.Error("the curves do not begin and end with the picture itself")
	}
	other, err := Measure(t.Context(), model, x, blurred, relevance, 10, 4)
	if err != nil {
		t.Fatal(err)
	}
	if other.ROAD == first.ROAD {
		t.Error("the seed makes no difference to ROAD")
	}
	other.ROAD = first.ROAD
	if !reflect.DeepEqual(other, first) {
		t.Error("the seed makes a difference to more than ROAD")
	}
}

// Values of a map that are not finite count as 0.
func TestNonFiniteRelevanceCountsAsZero(t *testing.T) {
	x := photo([]int{6, 6, 2})
	plain, spoilt := smooth(6, 6, 2), smooth(6, 6, 2)
	for i, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		plain.Values[5*i], spoilt.Values[5*i] = 0, float32(bad)
	}
	model := answering(func(picture []float32) float32 {
		sum := 0.
		for i, v := range picture {
			sum += float64(i) * float64(v)
		}
		return float32(math.Abs(math.Sin(sum)))
	})
	want, err := Measure(t.Context(), model, x, x, plain, 50, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Measure(t.Context(), model, x, x, spoilt, 50, 0)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestEndOfTheContext(t *testing.T) {
	x := photo([]int{8, 8, 1})
	model := answering(func([]float32) float32 { return .5 })

	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := Measure(ctx, func(ctx context.Context, images *explaind.Tensor) ([]float32, error) {
		if calls++; calls == 3 {
			cancel()
		}
		return model(ctx, images)
	}, x, x, smooth(8, 8, 2), 4, 0)
	var e *explaind.Error
	if !errors.As(err, &e) || e.Code != explaind.Canceled {
		t.Errorf("got %v, want Canceled", err)
	}
	if calls != 3 {
		t.Errorf("cancelled in batch 3, asked for %d", calls)
	}

	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err = Measure(ctx, func(context.Context, *explaind.Tensor) ([]float32, error) {
		t.Error("asked after the deadline")
		return nil, nil
	}, x, x, smooth(8, 8, 2), 4, 0)
	if !errors.As(err, &e) || e.Code != explaind.DeadlineExceeded {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
}

func TestErrors(t *testing.T) {
	x, relevance := photo([]int{4, 5, 3}), smooth(4, 5, 2)
	constant := answering(func([]float32) float32 { return .5 })
	refusing := explaind.Errorf(explaind.Unavailable, "BUSY", "busy")
	probe := func(p []float32, err error) Probe {
		return func(context.Context, *explaind.Tensor) ([]float32, error) { return p, err }
	}
	for what, c := range map[string]struct {
		ask        Probe
		x, blurred *explaind.Tensor
		relevance  *explaind.Heatmap
		code       explaind.Code
	}{
		"no picture":              {constant, nil, x, relevance, explaind.Internal},
		"a picture of rank 4":     {constant, explaind.NewTensor(1, 4, 5, 3), x, relevance, explaind.Internal},
		"an empty picture":        {constant, explaind.NewTensor(0, 5, 3), explaind.NewTensor(0, 5, 3), explaind.NewHeatmap(0, 5), explaind.Internal},
		"negative sizes":          {constant, &explaind.Tensor{Shape: []int{-4, -5, 3}, Data: x.Data}, x, relevance, explaind.Internal},
		"a short picture":         {constant, &explaind.Tensor{Shape: x.Shape, Data: x.Data[1:]}, x, relevance, explaind.Internal},
		"no blurred picture":      {constant, x, nil, relevance, explaind.Internal},
		"another blurred picture": {constant, x, photo([]int{5, 4, 3}), relevance, explaind.Internal},
		"a short blurred picture": {constant, x, &explaind.Tensor{Shape: x.Shape}, relevance, explaind.Internal},
		"no map":                  {constant, x, x, nil, explaind.Internal},
		"a map of another size":   {constant, x, x, smooth(5, 4, 2), explaind.Internal},
		"a short map":             {constant, x, x, &explaind.Heatmap{Height: 4, Width: 5}, explaind.Internal},
		"too few answers":         {probe(repeated(.5, 1), nil), x, x, relevance, explaind.Internal},
		"too many answers":        {probe(repeated(.5, 5), nil), x, x, relevance, explaind.Internal},
		"NaN for an answer":       {probe([]float32{.5, float32(math.NaN()), .5, .5}, nil), x, x, relevance, explaind.FailedPrecondition},
		"an infinite answer":      {probe([]float32{.5, .5, .5, float32(math.Inf(1))}, nil), x, x, relevance, explaind.FailedPrecondition},
		"an error for an answer":  {probe(nil, refusing), x, x, relevance, explaind.Unavailable},
	} {
		report, err := Measure(t.Context(), c.ask, c.x, c.blurred, c.relevance, 4, 0)
		var e *explaind.Error
		if !errors.As(err, &e) || e.Code != c.code || report != nil {
			t.Errorf("%s: %v, %v; want code %v", what, report, err, c.code)
		}
	}
}

// Small and thin pictures, all of one value, and maps of one value: every number stays in its range.
func TestShapes(t *testing.T) {
	for _, shape := range [][]int{{1, 1, 1}, {1, 1, 3}, {1, 2, 1}, {2, 1, 3}, {2, 2, 1}, {1, 3, 2}, {3, 3, 3}, {1, 57, 3}, {57, 1, 1}, {2, 41, 4}, {5, 3, 9}} {
		x := photo(shape)
		constant := explaind.NewTensor(shape...)
		for i := range constant.Data {
			constant.Data[i] = -2
		}
		flat := explaind.NewHeatmap(shape[0], shape[1])
		for _, picture := range []*explaind.Tensor{x, constant, explaind.NewTensor(shape...)} {
			for _, relevance := range []*explaind.Heatmap{flat, smooth(shape[0], shape[1], 1), smooth(shape[0], shape[1], 40)} {
				what := fmt.Sprintf("%v", shape)
				got, err := Measure(t.Context(), answering(func(p []float32) float32 {
					sum := 0.
					for i, v := range p {
						sum += float64(v) * math.Cos(3*float64(i))
					}
					return float32(.5 + .5*math.Sin(sum))
				}), picture, constant, relevance, 9, 11)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for _, v := range slices.Concat(got.DeletionCurve, got.InsertionCurve, []float32{
					got.Probability, got.MaskedProbability, got.AverageDrop, got.AverageGain, got.Deletion, got.Insertion, got.ROAD + .5,
				}) {
					if !(v >= 0 && v <= 1) {
						t.Fatalf("%s: %+v", what, got)
					}
				}
				// All zero is the last step of each deletion, whatever the map says.
				if last := got.DeletionCurve[20]; last != .5 {
					t.Errorf("%s: all pixels deleted give %v, want .5", what, last)
				}
				if len(got.DeletionCurve) != 21 || len(got.InsertionCurve) != 21 {
					t.Errorf("%s: curves of %d and %d", what, len(got.DeletionCurve), len(got.InsertionCurve))
				}
			}
		}
	}
}

// All that is not the model's own time, for one map.
func BenchmarkMeasure(b *testing.B) {
	x, relevance := photo([]int{224, 224, 3}), smooth(224, 224, 7)
	nothing := func(_ context.Context, images *explaind.Tensor) ([]float32, error) {
		return make([]float32, images.Rows()), nil
	}
	for b.Loop() {
		if _, err := Measure(b.Context(), nothing, x, x, relevance, 8, 0); err != nil {
			b.Fatal(err)
		}
	}
}
