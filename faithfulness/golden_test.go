package faithfulness

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/explaind/explaind"
)

type goldens struct {
	Noise []struct {
		Seed   uint64    `json:"seed"`
		Stream uint64    `json:"stream"`
		Sigma  float64   `json:"sigma"`
		Values []float32 `json:"values"`
	} `json:"noise"`
	Imputed []struct {
		Name    string    `json:"name"`
		Shape   []int     `json:"shape"`
		Picture []float32 `json:"picture"`
		Removed []int     `json:"removed"`
		Imputed []float64 `json:"imputed"`
	} `json:"imputed"`
	Measured []measured `json:"measured"`
}

type measured struct {
	Name      string    `json:"name"`
	Shape     []int     `json:"shape"`
	Seed      uint64    `json:"seed"`
	Class     int       `json:"class"`
	Scale     float64   `json:"scale"`
	Picture   []float32 `json:"picture"`
	Blurred   []float32 `json:"blurred"`
	Relevance []float32 `json:"relevance"`

	Probability       float64   `json:"probability"`
	MaskedProbability float64   `json:"masked_probability"`
	AverageDrop       float64   `json:"average_drop"`
	Increase          bool      `json:"increase"`
	AverageGain       float64   `json:"average_gain"`
	Deletion          float64   `json:"deletion"`
	Insertion         float64   `json:"insertion"`
	ROAD              float64   `json:"road"`
	DeletionCurve     []float64 `json:"deletion_curve"`
	InsertionCurve    []float64 `json:"insertion_curve"`
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	text, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Noise) == 0 || len(g.Imputed) == 0 || len(g.Measured) == 0 {
		t.Fatal("goldens are missing")
	}
	return g
}

// The numbers were made by testdata/make_goldens.py: NumPy in float64, SciPy's direct solver.
func TestGoldenReports(t *testing.T) {
	for _, c := range readGoldens(t).Measured {
		x := &explaind.Tensor{Shape: c.Shape, Data: c.Picture}
		blurred := &explaind.Tensor{Shape: c.Shape, Data: c.Blurred}
		relevance := &explaind.Heatmap{Height: c.Shape[0], Width: c.Shape[1], Values: c.Relevance}
		got, err := Measure(t.Context(), c.waves, x, blurred, relevance, 7, c.Seed)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for what, pair := range map[string][2]float64{
			"probability":        {float64(got.Probability), c.Probability},
			"masked probability": {float64(got.MaskedProbability), c.MaskedProbability},
			"average drop":       {float64(got.AverageDrop), c.AverageDrop},
			"average gain":       {float64(got.AverageGain), c.AverageGain},
			"deletion":           {float64(got.Deletion), c.Deletion},
			"insertion":          {float64(got.Insertion), c.Insertion},
			"ROAD":               {float64(got.ROAD), c.ROAD},
			"deletion curve":     {difference(got.DeletionCurve, c.DeletionCurve), 0},
			"insertion curve":    {difference(got.InsertionCurve, c.InsertionCurve), 0},
		} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-6) {
				t.Errorf("%s: %s is %v, want %v", c.Name, what, pair[0], pair[1])
			}
		}
		if got.Increase != c.Increase {
			t.Errorf("%s: increase is %v", c.Name, got.Increase)
		}
	}
}

// waves is the tiny model of make_goldens.py: a softmax over waves that run through the picture, one a class.
func (c measured) waves(_ context.Context, images *explaind.Tensor) ([]float32, error) {
	var probabilities []float32
	for row := range images.Rows() {
		picture := images.Row(row).Data
		var logits [4]float64
		for k := range logits {
			for i, v := range picture {
				logits[k] += math.Cos(0.9*float64(k)+0.37*float64(k+1)*float64(i)) * float64(v) / c.Scale
			}
			logits[k] *= 2 / math.Sqrt(float64(len(picture)))
		}
		var sum float64
		for _, s := range logits {
			sum += math.Exp(s - logits[c.Class])
		}
		probabilities = append(probabilities, float32(1/sum))
	}
	return probabilities, nil
}

func TestGoldenImputations(t *testing.T) {
	for _, c := range readGoldens(t).Imputed {
		impute(c.Picture, c.Shape, c.Removed)
		if worst := difference(c.Picture, c.Imputed); !(worst < 1e-6) {
			t.Errorf("%s: differs by %.2g", c.Name, worst)
		}
	}
}

func TestGoldenNoise(t *testing.T) {
	for _, c := range readGoldens(t).Noise {
		want := make([]float64, len(c.Values))
		for i, v := range c.Values {
			want[i] = float64(v)
		}
		got := make([]float32, len(want))
		explaind.AddGaussian(got, c.Sigma, c.Seed, c.Stream)
		if worst := difference(got, want); !(worst <= 3e-7*c.Sigma) {
			t.Errorf("seed %d, stream %d: differs by %.2g from %v", c.Seed, c.Stream, worst, want)
		}
	}
}

// difference is the largest one between got and want; infinite if their lengths differ.
func difference(got []float32, want []float64) (worst float64) {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	for i, w := range want {
		worst = max(worst, math.Abs(float64(got[i])-w))
	}
	return worst
}
