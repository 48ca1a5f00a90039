package imaging

import (
	"math"

	"github.com/explaind/explaind"
)

// affine makes model input of pixel values: value·gain[c] + offset[c] for the model's channel c.
type affine struct {
	gain, offset []float64
	bgr          bool // the model's channel 0 is blue
}

// Of ImageNet, as keras.applications.imagenet_utils has them: by red, green and blue, but caffe's in the order BGR.
var (
	caffeMean = []float64{103.939, 116.779, 123.68}
	torchMean = []float64{0.485, 0.456, 0.406}
	torchStd  = []float64{0.229, 0.224, 0.225}
)

// newAffine reads a Preprocessing. Mean and Std are in the order of the model's channels, so blue first for BGR; those
// of ModeTorch belong to their colours, whatever the order.
func newAffine(how explaind.Preprocessing, channels int) (*affine, error) {
	own := len(how.Mean) > 0 || len(how.Std) > 0 || how.Scale != 0
	if own && how.Mode != "" {
		return nil, badPreprocessing("it has mode %q and mean, std or scale; give either", how.Mode)
	}
	if channels == 1 && (how.Mode == explaind.ModeCaffe || how.Mode == explaind.ModeTorch) {
		return nil, badPreprocessing("mode %q has a mean for each of three colours, but the model takes one channel; give mean and std instead", how.Mode)
	}
	a := &affine{gain: make([]float64, channels), offset: make([]float64, channels), bgr: how.BGR && channels == 3}
	switch how.Mode {
	case "":
		return a, a.standardize(how)
	case explaind.ModeNone:
		a.set(func(int) (float64, float64) { return 1, 0 })
	case explaind.ModeUnit:
		a.set(func(int) (float64, float64) { return 1. / 255, 0 })
	case explaind.ModeTF:
		a.set(func(int) (float64, float64) { return 1 / 127.5, -1 })
	case explaind.ModeCaffe:
		a.bgr = true
		a.set(func(c int) (float64, float64) { return 1, -caffeMean[c] })
	case explaind.ModeTorch:
		a.set(func(c int) (float64, float64) {
			if a.bgr {
				c = 2 - c
			}
			return 1 / (255 * torchStd[c]), -torchMean[c] / torchStd[c]
		})
	default:
		return nil, badPreprocessing("mode is %q; it must be none, unit, tf, caffe or torch", how.Mode)
	}
	return a, nil
}

func (a *affine) set(of func(c int) (gain, offset float64)) {
	for c := range a.gain {
		a.gain[c], a.offset[c] = of(c)
	}
}

// standardize is (x·Scale − Mean) / Std.
func (a *affine) standardize(how explaind.Preprocessing) error {
	for _, list := range []struct {
		name   string
		values []float32
	}{{"mean", how.Mean}, {"std", how.Std}} {
		if n := len(list.values); n > 1 && n != len(a.gain) {
			return badPreprocessing("%s has %d values; the model takes %d channels, so give 1 or %[3]d", list.name, n, len(a.gain))
		}
	}
	scale := float64(how.Scale)
	if scale == 0 {
		scale = 1
	}
	a.set(func(c int) (float64, float64) {
		std := perChannel(how.Std, c, 1)
		return scale / std, -perChannel(how.Mean, c, 0) / std
	})
	for c := range a.gain {
		// gain is 0 for an infinite std and infinite or NaN for the other numbers that make no sense.
		if a.gain[c] == 0 || math.IsNaN(a.gain[c]+a.offset[c]) || math.IsInf(a.gain[c], 0) || math.IsInf(a.offset[c], 0) {
			return badPreprocessing("mean %v, std %v and scale %v give no finite numbers; std must not be 0", how.Mean, how.Std, how.Scale)
		}
	}
	return nil
}

func perChannel(values []float32, c int, otherwise float64) float64 {
	switch len(values) {
	case 0:
		return otherwise
	case 1:
		return float64(values[0])
	default:
		return float64(values[c])
	}
}

// apply changes pixels, RGB or grey, to model input in place. One product and sum in float64, rounded once, is as near
// to the exact value as float32 goes.
func (a *affine) apply(pixels []float32) {
	channels := len(a.gain)
	for p := pixels; len(p) >= channels; p = p[channels:] {
		if a.bgr {
			p[0], p[2] = p[2], p[0]
		}
		for c := range channels {
			p[c] = float32(float64(p[c])*a.gain[c] + a.offset[c])
		}
	}
}

// badPreprocessing is a fault of the model's description, not of the request.
func badPreprocessing(format string, args ...any) *explaind.Error {
	e := explaind.Errorf(explaind.FailedPrecondition, "BAD_PREPROCESSING", format, args...)
	e.Message = "the model's preprocessing cannot be applied: " + e.Message + "; correct explaind.yaml beside the model"
	return e
}
