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
	HeadKernelShape  []int                         `json:"head_kernel_shape"`
	HeadKernel       []float32                     `json:"head_kernel"`
	Probabilities    []float32                     `json:"probabilities"`
	Class            int                           `json:"class"`
	Maps             map[explaind.Method][]float64 `json:"maps"`
	Forms            map[string][]float64          `json:"forms"`
	EigenSmooth      map[explaind.Method][]float64 `json:"eigen_smooth"`
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

func (g golden) check(t *testing.T, what string, m explaind.Method, e *explaind.Evidence, o explaind.MethodOptions, want []float64) []explaind.Flag {
	t.Helper()
	d, err := Lookup(m)
	if err != nil {
		t.Fatal(err)
	}
	got, flags, err := d.Func(e, &o)
	if err != nil {
		t.Errorf("%s: %s: %v", g.Name, what, err)
		return nil
	}
	if got.Height != g.Shape[0] || got.Width != g.Shape[1] {
		t.Errorf("%s: %s is %d×%d, want %v", g.Name, what, got.Height, got.Width, g.Shape[:2])
	}
	if worst := worstDifference(got.Values, want); worst > 3e-7 {
		t.Errorf("%s: %s differs by %.2g of the map's largest value", g.Name, what, worst)
	}
	return flags
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
	seen, smooth := map[explaind.Method]int{}, map[explaind.Method]int{}
	for _, c := range cases {
		for m, want := range c.Maps {
			seen[m]++
			flags := c.check(t, string(m), m, c.evidence(), explaind.MethodOptions{}, want)
			flagged := slices.Contains(flags, explaind.FlagZeroAlphaChannel)
			if want := c.ZeroAlphaChannel && m == explaind.MethodArticleGradCAMPlusPlus; flagged != want {
				t.Errorf("%s: %s: zero-alpha flag %v, want %v", c.Name, m, flagged, want)
			}
		}
		for m, want := range c.EigenSmooth {
			smooth[m]++
			c.check(t, string(m)+", eigen_smooth", m, c.evidence(), explaind.MethodOptions{EigenSmooth: true}, want)
		}
		c.check(t, "the authors' form", explaind.MethodGradCAMPlusPlus, c.evidence(),
			explaind.MethodOptions{PlusPlusForm: explaind.PlusPlusAuthorsCode}, c.Forms["authors_code"])
		softmax := c.evidence()
		softmax.HeadKernel = &explaind.Tensor{Shape: c.HeadKernelShape, Data: c.HeadKernel}
		softmax.Probabilities, softmax.Class, softmax.Probability = c.Probabilities, c.Class, c.Probabilities[c.Class]
		c.check(t, "the softmax form", explaind.MethodGradCAMPlusPlus, softmax,
			explaind.MethodOptions{PlusPlusForm: explaind.PlusPlusSoftmax}, c.Forms["softmax"])
	}
	for _, d := range ofOneRun() {
		if !d.Traits.Has(OfInput) && seen[d.Method] < 5 {
			t.Errorf("%d goldens of %s; testdata/make_goldens.py makes them", seen[d.Method], d.Method)
		}
		if d.Traits.Has(Weighs) && smooth[d.Method] < 5 {
			t.Errorf("%d goldens of %s with eigen_smooth; testdata/make_goldens.py makes them", smooth[d.Method], d.Method)
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
