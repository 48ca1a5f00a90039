package explain

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

// oneOf is complete random evidence: activations ≥ 0, gradients and weights of both signs, a 3×3 kernel.
func oneOf(tb testing.TB, height, width, channels int) *explaind.Evidence {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	normal := func(shape ...int) *explaind.Tensor {
		x := explaind.NewTensor(shape...)
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
		}
		return x
	}
	e := &explaind.Evidence{
		Versus: -1, Probability: .7,
		Activations:  normal(height, width, channels),
		Gradients:    normal(height, width, channels),
		ClassWeights: normal(channels).Data,
		Kernel:       normal(3, 3, 2, channels),
		HeadKernel:   normal(channels, 2), Probabilities: []float32{.7, .3},
		Input: normal(6, 5, 3), InputGradients: normal(6, 5, 3), GuidedGradients: normal(6, 5, 3),
	}
	for i, a := range e.Activations.Data {
		e.Activations.Data[i] = max(a, 0)
	}
	return e
}

// ofOneRun are the methods that are a function of the evidence alone.
func ofOneRun() []Definition {
	return slices.DeleteFunc(slices.Clone(table), func(d Definition) bool { return d.Func == nil })
}

func TestMalformedEvidenceIsAnError(t *testing.T) {
	for what, spoil := range map[string]struct {
		needs explaind.Needs // 0: every method must notice
		with  func(e *explaind.Evidence)
	}{
		"no activations":        {0, func(e *explaind.Evidence) { e.Activations = nil }},
		"activations of rank 2": {0, func(e *explaind.Evidence) { e.Activations.Shape = []int{6, 4} }},
		"short activations":     {0, func(e *explaind.Evidence) { e.Activations.Data = e.Activations.Data[:3] }},
		"empty activations":     {0, func(e *explaind.Evidence) { e.Activations = explaind.NewTensor(0, 2, 4) }},
		"negative dimensions":   {0, func(e *explaind.Evidence) { e.Activations.Shape = []int{-3, -2, 4} }},
		"no gradients":          {explaind.NeedsGradients, func(e *explaind.Evidence) { e.Gradients = nil }},
		"transposed gradients":  {explaind.NeedsGradients, func(e *explaind.Evidence) { e.Gradients.Shape = []int{2, 3, 4} }},
		"short gradients":       {explaind.NeedsGradients, func(e *explaind.Evidence) { e.Gradients.Data = nil }},
		"no class weights":      {explaind.NeedsClassWeights, func(e *explaind.Evidence) { e.ClassWeights = nil }},
		"many class weights":    {explaind.NeedsClassWeights, func(e *explaind.Evidence) { e.ClassWeights = make([]float32, 5) }},
		"no kernel":             {explaind.NeedsKernel, func(e *explaind.Evidence) { e.Kernel = nil }},
		"kernel of rank 2":      {explaind.NeedsKernel, func(e *explaind.Evidence) { e.Kernel.Shape = []int{18, 4} }},
		"other layer's kernel":  {explaind.NeedsKernel, func(e *explaind.Evidence) { e.Kernel = explaind.NewTensor(3, 3, 4, 8) }},
		"short kernel":          {explaind.NeedsKernel, func(e *explaind.Evidence) { e.Kernel.Data = e.Kernel.Data[:2] }},
		"no input gradients":    {explaind.NeedsInputGradients, func(e *explaind.Evidence) { e.InputGradients = nil }},
		"short input gradients": {explaind.NeedsInputGradients, func(e *explaind.Evidence) { e.InputGradients.Data = e.InputGradients.Data[:7] }},
		"no guided gradients":   {explaind.NeedsGuidedGradients, func(e *explaind.Evidence) { e.GuidedGradients = nil }},
		"other guided shape":    {explaind.NeedsGuidedGradients, func(e *explaind.Evidence) { e.GuidedGradients.Shape = []int{5, 6, 3} }},
	} {
		for _, d := range ofOneRun() {
			e := oneOf(t, 3, 2, 4)
			spoil.with(e)
			h, _, err := d.Func(e, &explaind.MethodOptions{})
			if !d.Needs.Has(spoil.needs) || spoil.needs == 0 && d.Traits.Has(OfInput) {
				if err != nil {
					t.Errorf("%s does not need it, yet %s: %v", d.Method, what, err)
				}
				continue
			}
			var typed *explaind.Error
			if !errors.As(err, &typed) || typed.Code != explaind.Internal || h != nil {
				t.Errorf("%s, %s: %v, %v; want an Internal error", d.Method, what, h, err)
			}
		}
	}
	for _, d := range ofOneRun() {
		if _, _, err := d.Func(nil, &explaind.MethodOptions{}); err == nil {
			t.Errorf("%s explains nothing at all", d.Method)
		}
	}
}

// Whatever NaN or infinity stands in the evidence, Normalize must be able to tell.
func TestNonFiniteReachesTheMap(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for where, spoil := range map[string]struct {
			needs explaind.Needs
			at    func(e *explaind.Evidence) *float32
		}{
			"activation":    {0, func(e *explaind.Evidence) *float32 { return &e.Activations.Data[5] }},
			"gradient":      {explaind.NeedsGradients, func(e *explaind.Evidence) *float32 { return &e.Gradients.Data[5] }},
			"class weight":  {explaind.NeedsClassWeights, func(e *explaind.Evidence) *float32 { return &e.ClassWeights[1] }},
			"kernel":        {explaind.NeedsKernel, func(e *explaind.Evidence) *float32 { return &e.Kernel.Data[1] }},
			"pixel's slope": {explaind.NeedsInputGradients, func(e *explaind.Evidence) *float32 { return &e.InputGradients.Data[5] }},
			"guided slope":  {explaind.NeedsGuidedGradients, func(e *explaind.Evidence) *float32 { return &e.GuidedGradients.Data[5] }},
		} {
			for _, d := range ofOneRun() {
				if !d.Needs.Has(spoil.needs) || spoil.needs == 0 && d.Traits.Has(OfInput) {
					continue
				}
				e := oneOf(t, 3, 2, 4)
				*spoil.at(e) = float32(bad)
				h, _, err := d.Func(e, &explaind.MethodOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(h.Normalize(), explaind.FlagNonFinite) {
					t.Errorf("%s swallows %v in a %s", d.Method, bad, where)
				}
			}
		}
	}
}

// VGG16's block5_conv3 and ResNet50's last layer.
func BenchmarkMethods(b *testing.B) {
	for _, shape := range [][3]int{{14, 14, 512}, {7, 7, 2048}} {
		e := oneOf(b, shape[0], shape[1], shape[2])
		for _, d := range ofOneRun() {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", d.Method, shape[0], shape[1], shape[2]), func(b *testing.B) {
				for b.Loop() {
					if _, _, err := d.Func(e, &explaind.MethodOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
