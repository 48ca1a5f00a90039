package explain

import (
	"math"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

// oneChannel is evidence of a single channel with its gradients equal to its activations.
func oneChannel(height, width int, values ...float32) *explaind.Evidence {
	a := explaind.NewTensor(height, width, 1)
	copy(a.Data, values)
	return &explaind.Evidence{Versus: -1, Activations: a, Gradients: a}
}

func ones(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = 1
	}
	return values
}

// With g = A the map of one channel is w·A, so that its value at a one is the weight.
// 80 positions with 15, 4 and 2 ones: figure 2 of the Grad-CAM++ paper, where Grad-CAM's weights shrink with the
// object and Grad-CAM++'s less so. The 2×2 maps are worked out by hand from equation 19.
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		what     string
		evidence *explaind.Evidence
		method   explaind.Method
		want     float64
	}{
		{"15 of 80", oneChannel(8, 10, ones(15)...), explaind.MethodGradCAM, 15. / 80},
		{"4 of 80", oneChannel(8, 10, ones(4)...), explaind.MethodGradCAM, 4. / 80},
		{"2 of 80", oneChannel(8, 10, ones(2)...), explaind.MethodGradCAM, 2. / 80},
		{"15 of 80", oneChannel(8, 10, ones(15)...), explaind.MethodGradCAMPlusPlus, 15. / 17},
		{"4 of 80", oneChannel(8, 10, ones(4)...), explaind.MethodGradCAMPlusPlus, 2. / 3},
		{"2 of 80", oneChannel(8, 10, ones(2)...), explaind.MethodGradCAMPlusPlus, 1. / 2},
		{"four ones", oneChannel(2, 2, 1, 1, 1, 1), explaind.MethodGradCAMPlusPlus, 2. / 3},
		{"two ones", oneChannel(2, 2, 1, 1), explaind.MethodGradCAMPlusPlus, 1. / 2},
		{"one half", oneChannel(2, 2, .5), explaind.MethodGradCAMPlusPlus, 2. / 9},
	} {
		definition, err := Lookup(c.method)
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := definition.Func(c.evidence, &explaind.MethodOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range h.Values {
			a := c.evidence.Activations.Data[i]
			if want := c.want * float64(a); math.Abs(float64(v)-want) > 1e-7 {
				t.Errorf("%s of %s: value %d is %v, want %v·%v", c.method, c.what, i, v, c.want, a)
			}
		}
	}
}

func TestCAMByHand(t *testing.T) {
	e := &explaind.Evidence{
		Activations:  &explaind.Tensor{Shape: []int{1, 2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}},
		ClassWeights: []float32{10, -1, .5},
	}
	h, flags, err := cam(e, &explaind.MethodOptions{})
	if err != nil || flags != nil {
		t.Fatal(flags, err)
	}
	if h.Values[0] != 9.5 || h.Values[1] != 38 {
		t.Errorf("got %v, want [9.5 38]", h.Values)
	}
	e.ClassWeights = []float32{-1, 0, 0}
	if h, _, _ = cam(e, &explaind.MethodOptions{}); h.Values[0] != -1 || h.Values[1] != -4 {
		t.Errorf("CAM has no ReLU, got %v, want [-1 -4]", h.Values)
	}
}

// K [2, 2, 1, 2]: the second kernel row must not count.
func TestArticleCAMByHand(t *testing.T) {
	e := &explaind.Evidence{
		Activations: &explaind.Tensor{Shape: []int{1, 1, 2}, Data: []float32{3, 5}},
		Kernel:      &explaind.Tensor{Shape: []int{2, 2, 1, 2}, Data: []float32{1, -2, 3, -6, 99, 99, 99, 99}},
	}
	h, _, err := articleCAM(e, &explaind.MethodOptions{})
	if err != nil || h.Values[0] != 2*3-4*5 {
		t.Errorf("got %v, %v, want -14", h, err)
	}
}

// Behind global average pooling and one dense layer the gradient is w^c/Z at every position, so Grad-CAM is CAM with a
// ReLU, up to the factor Z.
func TestGradCAMIsCAMForAPooledHead(t *testing.T) {
	c := oneOf(t, 4, 5, 6)
	for at := range c.Gradients.Data {
		c.Gradients.Data[at] = c.ClassWeights[at%6] / 20
	}
	left, _, err := cam(c, &explaind.MethodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	right, _, err := gradCAM(c, &explaind.MethodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	left.ReLU().Normalize()
	if flags := right.Normalize(); flags != nil {
		t.Fatalf("degenerate map: %v", flags)
	}
	for i := range left.Values {
		if math.Abs(float64(left.Values[i]-right.Values[i])) > 1e-6 {
			t.Errorf("position %d: CAM %v, Grad-CAM %v", i, left.Values[i], right.Values[i])
		}
	}
}

// S = 2 + ΣA·g is −2, 0 and 0.8 at the three positions with ΣA = −4: only the last may count.
func TestGradCAMPlusPlusLeavesPolesOut(t *testing.T) {
	e := &explaind.Evidence{
		Activations: &explaind.Tensor{Shape: []int{1, 4, 1}, Data: []float32{-3, -2, 2, -1}},
		Gradients:   &explaind.Tensor{Shape: []int{1, 4, 1}, Data: []float32{1, .5, .3, -1}},
	}
	h, _, err := gradCAMPlusPlus(e, &explaind.MethodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := .3 / .8 * 2; math.Abs(float64(h.Values[2])-want) > 1e-6 || h.Values[0] != 0 || h.Values[3] != 0 {
		t.Errorf("got %v, want [0 0 %v 0]", h.Values, want)
	}
}

// Zero gradients everywhere: 0/0 in the article, weight 0 and a flag here.
func TestArticleGradCAMPlusPlusReportsZeroAlpha(t *testing.T) {
	e := oneChannel(2, 2, 1, 1)
	e.Gradients = explaind.NewTensor(2, 2, 1)
	h, flags, err := articleGradCAMPlusPlus(e, &explaind.MethodOptions{})
	if err != nil || len(flags) != 1 || flags[0] != explaind.FlagZeroAlphaChannel {
		t.Fatalf("flags %v, error %v", flags, err)
	}
	for _, v := range h.Values {
		if v != 0 {
			t.Errorf("got %v, want zeros", h.Values)
		}
	}
}

// Σ g·A / ΣA of one channel at two positions, which may be of both signs. One whose sum is below a thousandth of Σ|A| is left
// out, whatever its gradient.
func TestXGradCAMOfBothSigns(t *testing.T) {
	guarded := []explaind.Flag{explaind.FlagGuardedPole}
	for what, c := range map[string]struct {
		channels int
		a, g     []float32
		want     [2]float64
		flags    []explaind.Flag
	}{
		"positive sum":                {1, []float32{4, -1}, []float32{1, 2}, [2]float64{8. / 3, 0}, nil},             // w = 2/3
		"negative sum":                {1, []float32{-4, 1}, []float32{1, 2}, [2]float64{0, 2. / 3}, nil},             // w = −2/−3
		"cancelled":                   {1, []float32{1, -1}, []float32{5, 3}, [2]float64{0, 0}, guarded},              // 2/0
		"nearly cancelled":            {1, []float32{1, -1 + 1./1024}, []float32{5, 3}, [2]float64{0, 0}, guarded},    // ΣA is 0.0005 of Σ|A|
		"just far enough off":         {1, []float32{1, -1 + 1./256}, []float32{1, 0}, [2]float64{255.93447, 0}, nil}, // 1/(1/256 + ε)
		"off":                         {1, []float32{0, 0}, []float32{5, 3}, [2]float64{0, 0}, nil},
		"one cancelled, one does not": {2, []float32{4, 1, -1, -1}, []float32{1, 5, 2, 3}, [2]float64{8. / 3, 0}, guarded},
	} {
		shape := []int{1, 2, c.channels}
		e := &explaind.Evidence{Activations: &explaind.Tensor{Shape: shape, Data: c.a}, Gradients: &explaind.Tensor{Shape: shape, Data: c.g}}
		h, flags, err := xGradCAM(e, &explaind.MethodOptions{})
		if err != nil || !slices.Equal(flags, c.flags) {
			t.Errorf("%s: flags %v, error %v; want %v", what, flags, err, c.flags)
			continue
		}
		for i, want := range c.want {
			if !(math.Abs(float64(h.Values[i])-want) <= 1e-6*max(want, 1)) {
				t.Errorf("%s: the map is %v, want %v", what, h.Values, c.want)
			}
		}
	}
}
