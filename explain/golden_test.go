package explain

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

type golden struct {
	Name             string                        `json:"name"`
	Shape            []int                         `json:"shape"`
	Activations      []float32                     `json:"activations"`
	Gradients        []float32                     `json:"gradients"`
	ClassWeights     []float32                     `json:"class_weights"`
	KernelShape      []int                         `json:"kernel_shape"`
	Kernel           []float32                     `json:"kernel"`
	Probability      float32                       `json:"probability"`
	ZeroAlphaChannel bool                          `json:"zero_alpha_channel"`
	Maps             map[explaind.Method][]float64 `json:"maps"`
}

func (g golden) evidence() *explaind.Evidence {
	return &explaind.Evidence{
		Versus:       -1,
		Activations:  &explaind.Tensor{Shape: g.Shape, Data: g.Activations},
		Gradients:    &explaind.Tensor{Shape: g.Shape, Data: g.Gradients},
		Probability:  g.Probability,
		ClassWeights: g.ClassWeights,
		Kernel:       &explaind.Tensor{Shape: g.KernelShape, Data: g.Kernel},
	}
}

// The maps were made by testdata/make_goldens.py: NumPy, float64, the papers' own form of each formula.
func TestGoldens(t *testing.T) {
	text, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if len(c.Maps) != len(table) {
			t.Errorf("%s: %d maps for %d methods", c.Name, len(c.Maps), len(table))
		}
		for _, d := range table {
			got, flags, err := d.Func(c.evidence())
			if err != nil {
				t.Errorf("%s: %s: %v", c.Name, d.Method, err)
				continue
			}
			if got.Height != c.Shape[0] || got.Width != c.Shape[1] {
				t.Errorf("%s: %s is %d×%d, want %v", c.Name, d.Method, got.Height, got.Width, c.Shape[:2])
			}
			if worst := worstDifference(got.Values, c.Maps[d.Method]); worst > 3e-7 {
				t.Errorf("%s: %s differs by %.2g of the map's largest value", c.Name, d.Method, worst)
			}
			flagged := slices.Contains(flags, explaind.FlagZeroAlphaChannel)
			if want := c.ZeroAlphaChannel && d.Method == explaind.MethodArticleGradCAMPlusPlus; flagged != want {
				t.Errorf("%s: %s: zero-alpha flag %v, want %v", c.Name, d.Method, flagged, want)
			}
		}
	}
}

// worstDifference is the largest difference over the largest value of want.
func worstDifference(got []float32, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var difference, scale float64
	for i, w := range want {
		difference = max(difference, math.Abs(float64(got[i])-w))
		scale = max(scale, math.Abs(w))
	}
	return difference / scale
}
