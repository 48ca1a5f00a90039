package explain

import (
	"cmp"
	"fmt"

	"github.com/explaind/explaind"
)

// The defaults of the options, and what is taken at most, so that no number of a request makes a size overflow.
const (
	defaultSamples = 50
	defaultLevel   = 0.15
	defaultSteps   = 50
	mostDoublings  = 3
	defaultMasks   = 4000
	defaultGrid    = 7
	defaultKeep    = 0.5

	mostNumber = 1 << 16
	mostGrid   = 1 << 8
)

func noiseSamples(o *explaind.MethodOptions) int   { return cmp.Or(o.Noise.Samples, defaultSamples) }
func noiseLevel(o *explaind.MethodOptions) float32 { return cmp.Or(o.Noise.Level, defaultLevel) }
func riseMasks(o *explaind.MethodOptions) int      { return cmp.Or(o.RISE.Masks, defaultMasks) }
func riseGrid(o *explaind.MethodOptions) int       { return cmp.Or(o.RISE.Grid, defaultGrid) }
func riseKeep(o *explaind.MethodOptions) float32   { return cmp.Or(o.RISE.Keep, defaultKeep) }

func noisePasses(o *explaind.MethodOptions, _ Size) int       { return noiseSamples(o) }
func risePasses(o *explaind.MethodOptions, _ Size) int        { return riseMasks(o) }
func ablationCAMPasses(_ *explaind.MethodOptions, s Size) int { return s.Channels }

// integrationSteps are the steps, and how often they may be doubled.
func integrationSteps(o *explaind.MethodOptions) (steps, doublings int) {
	if asked := o.IntegratedGradients.Steps; asked > 0 {
		return asked, 0
	}
	return defaultSteps, mostDoublings
}

func integrationPasses(o *explaind.MethodOptions, _ Size) int {
	steps, doublings := integrationSteps(o)
	return steps<<doublings + 1
}

func scoreCAMPasses(o *explaind.MethodOptions, s Size) int {
	if most := o.ScoreCAM.MaxChannels; most > 0 {
		return min(most, s.Channels)
	}
	return s.Channels
}

func occlusionPasses(o *explaind.MethodOptions, s Size) int {
	return windowsOf(o, s.Height, s.Width).count()
}

// CheckOptions refuses options that no image could be explained with. Errors are InvalidArgument at the fields of the
// options, as the protocol names them below prefix.
func CheckOptions(o *explaind.MethodOptions, prefix string) error {
	for _, n := range []struct {
		field string
		value int
		most  int
	}{
		{"noise.samples", o.Noise.Samples, mostNumber},
		{"integrated_gradients.steps", o.IntegratedGradients.Steps, mostNumber},
		{"score_cam.max_channels", o.ScoreCAM.MaxChannels, mostNumber},
		{"occlusion.patch", o.Occlusion.Patch, mostNumber},
		{"occlusion.stride", o.Occlusion.Stride, mostNumber},
		{"rise.masks", o.RISE.Masks, mostNumber},
		{"rise.grid", o.RISE.Grid, mostGrid},
	} {
		if n.value < 0 || n.value > n.most {
			return explaind.FieldError(prefix+n.field, "BAD_OPTION", "it must be from 1 to %d, or 0 for the default, got %d", n.most, n.value)
		}
	}
	if l := o.Noise.Level; !(l >= 0 && l <= 10) {
		return explaind.FieldError(prefix+"noise.level", "BAD_OPTION", "the noise is measured by the range of the image and must be above 0 and at most 10, or 0 for the default, got %v", l)
	}
	if k := o.RISE.Keep; !(k >= 0 && k < 1) {
		return explaind.FieldError(prefix+"rise.keep", "BAD_OPTION", "it is a probability above 0 and below 1, or 0 for the default, got %v", k)
	}
	return nil
}

// Settle tells why a method cannot be computed on a layer with the options; nil if it can. It returns the method with
// what the options make it need beside its own needs. Errors are those of CheckOptions for the field of the option.
func Settle(d Definition, o *explaind.MethodOptions, spec *explaind.Spec, layer *explaind.Layer, prefix string) (Definition, error) {
	if o.EigenSmooth && !d.Traits.Has(Weighs) {
		return d, explaind.FieldError(prefix+"eigen_smooth", "OPTION_UNSUPPORTED", "%s weighs no activations that could be smoothed; ask for it without eigen_smooth, which works with %s", d.Method, join(weighing()))
	}
	if d.Method != explaind.MethodGradCAMPlusPlus && d.Method != explaind.MethodGuidedGradCAMPlusPlus || o.PlusPlusForm != explaind.PlusPlusSoftmax {
		return d, nil
	}
	reason := withoutHead(spec, layer)
	if reason == "" && spec.Head.Activation != explaind.Softmax && spec.Head.Activation != explaind.Linear {
		reason = fmt.Sprintf("the head ends in %s, not in a softmax", spec.Head.Activation)
	}
	if reason != "" {
		e := explaind.FieldError(prefix+"grad_cam_plus_plus_form", "OPTION_UNSUPPORTED", "the softmax form of %s cannot explain layer %q: %s; use the exponential form", d.Method, layer.Name, reason)
		e.Code = explaind.FailedPrecondition
		return d, e
	}
	d.Needs |= explaind.NeedsHead
	return d, nil
}

func weighing() []explaind.Method {
	var list []explaind.Method
	for _, d := range table {
		if d.Traits.Has(Weighs) {
			list = append(list, d.Method)
		}
	}
	return list
}
