package native_test

import (
	"math"
	"slices"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

const (
	nonPositive = pb.Flag_FLAG_ALL_NON_POSITIVE
	flat        = pb.Flag_FLAG_FLAT
	saturated   = pb.Flag_FLAG_SATURATED_SCORE
	nonFinite   = pb.Flag_FLAG_NON_FINITE
	zeroAlpha   = pb.Flag_FLAG_ZERO_ALPHA_CHANNEL
	pole        = pb.Flag_FLAG_GUARDED_POLE
)

// strong is model input that is v in one channel, more on the left than on the right.
func strong(channel int, v float32) *pb.Image {
	values := make([]float32, 4*4*3)
	for i := range 16 {
		values[3*i+channel] = v * (float32(4-i%4) / 4)
	}
	return tensor(float32s, littleEndian(values...), 4, 4, 3)
}

func TestFlags(t *testing.T) {
	const probability = pb.Score_SCORE_PROBABILITY
	r := start(t, one(colours()))
	nothing := []pb.Flag{flat, nonPositive}
	overflow := []pb.Flag{nonFinite, flat, nonPositive}
	for _, c := range []struct {
		what    string
		image   *pb.Image
		methods []pb.Method
		score   pb.Score
		target  *pb.Target
		options *pb.MethodOptions
		want    []pb.Flag
	}{
		{"nothing to say", strong(0, 1), []pb.Method{gradCAM, gradCAMpp, hiResCAM, xGradCAM, layerCAM, eigenCAM, eigenGradCAM, scoreCAM, ablationCAM,
			gradientXInput, integratedGradients, smoothGradCAMpp, occlusion, rise}, 0, class(0), nil, nil},
		{"one colour", plain(255, 0, 0).image(t), []pb.Method{gradCAM, hiResCAM, eigenCAM, ablationCAM, gradientXInput, occlusion}, 0, class(0), nil, []pb.Flag{flat}},
		{"one gradient", strong(0, 1), []pb.Method{saliency, smoothGrad}, 0, class(0), nil, []pb.Flag{flat}},
		{"one colour, less its mean", plain(255, 0, 0).image(t), []pb.Method{eigenGradCAM}, 0, class(0), nil, nothing},
		{"one colour masks nothing", plain(255, 0, 0).image(t), []pb.Method{scoreCAM}, 0, class(0), nil, nothing},
		{"no variance", strong(0, 1), []pb.Method{smoothGrad}, 0, class(0), &pb.MethodOptions{Noise: &pb.NoiseOptions{Statistic: pb.NoiseStatistic_NOISE_STATISTIC_VARIANCE}}, nothing},
		{"blue speaks against red", strong(2, 1), []pb.Method{cam, hiResCAM, gradientXInput, integratedGradients, occlusion}, 0, class(0), nil, []pb.Flag{nonPositive}},
		{"and its ReLU is flat", strong(2, 1), []pb.Method{gradCAM, gradCAMpp, xGradCAM, layerCAM, ablationCAM, smoothGradCAMpp}, 0, class(0), nil, nothing},
		{"the class loses, whatever is masked", strong(2, 1), []pb.Method{scoreCAM}, 0, versus(class(0), 2),
			&pb.MethodOptions{ScoreCam: &pb.ScoreCamOptions{Form: pb.ScoreCamForm_SCORE_CAM_FORM_OFFICIAL_CODE}}, nothing},

		{"certain", strong(0, 4.5), []pb.Method{gradCAM, hiResCAM, xGradCAM, layerCAM, eigenGradCAM, gradientXInput, integratedGradients, gradCAMpp, smoothGradCAMpp},
			probability, class(0), nil, []pb.Flag{saturated}},
		{"certain, and one gradient", strong(0, 4.5), []pb.Method{saliency, smoothGrad}, probability, class(0), nil, []pb.Flag{saturated, flat}},
		{"certain, but the logit is asked", strong(0, 4.5), []pb.Method{gradCAM, hiResCAM, gradientXInput, integratedGradients}, 0, class(0), nil, nil},
		{"certain, but no gradient is asked", strong(0, 4.5), []pb.Method{cam, eigenCAM, scoreCAM, ablationCAM, rise}, probability, class(0), nil, nil},
		{"impossible", strong(0, 40), []pb.Method{gradCAM}, probability, class(2), nil, []pb.Flag{saturated, flat, nonPositive}},
		{"no gradient is left", strong(0, 60), []pb.Method{articlepp}, 0, class(0), nil, []pb.Flag{zeroAlpha, saturated, flat, nonPositive}},

		{"overflow on the left", strong(0, 1.2e38), []pb.Method{cam, gradCAM, hiResCAM, layerCAM}, 0, class(0), nil, []pb.Flag{nonFinite}},
		{"overflow everywhere", strong(0, 1.2e38), []pb.Method{eigenCAM, eigenGradCAM, scoreCAM, occlusion, rise}, 0, class(0), nil, overflow},
		{"overflow behind the input", strong(0, 1.2e38), []pb.Method{gradientXInput, integratedGradients}, 0, class(0), nil, []pb.Flag{nonFinite}},
		{"overflow in a fusion", strong(0, 1.2e38), []pb.Method{gradCAM}, 0, class(0), &pb.MethodOptions{Fusion: pb.Fusion_FUSION_MAX}, []pb.Flag{nonFinite}},
		{"overflow in variants", strong(0, 1.2e38), []pb.Method{hiResCAM}, 0, class(0), &pb.MethodOptions{AugSmooth: true}, []pb.Flag{nonFinite}},

		// 2 + (ΣA)·g is 2 − 2.5·1.5.
		{"behind the pole", strong(0, -1), []pb.Method{gradCAMpp, smoothGradCAMpp}, 0, class(0), nil, []pb.Flag{pole, flat, nonPositive}},
		{"behind the pole, normalised", strong(0, -1), []pb.Method{gradCAMpp}, 0, class(0), &pb.MethodOptions{GradCamPlusPlusForm: authorsForm}, []pb.Flag{pole, flat, nonPositive}},
		{"behind the pole in a fusion", strong(0, -1), []pb.Method{gradCAMpp}, 0, class(0), &pb.MethodOptions{Fusion: pb.Fusion_FUSION_PRODUCT}, []pb.Flag{pole, flat, nonPositive}},
		{"behind the pole in variants", strong(0, -1), []pb.Method{smoothGradCAMpp}, 0, class(0), &pb.MethodOptions{AugSmooth: true}, []pb.Flag{pole, flat, nonPositive}},
		{"at the pole of the softmax", softmaxPole(t), []pb.Method{gradCAMpp}, 0, class(0), &pb.MethodOptions{GradCamPlusPlusForm: softmaxForm}, []pb.Flag{pole, flat, nonPositive}},
	} {
		for _, m := range c.methods {
			t.Run(name("%s %v", c.what, m), func(t *testing.T) {
				got := explain(t, r, c.image, &pb.ExplainConfig{Methods: []pb.Method{m}, Score: c.score, Targets: []*pb.Target{c.target}, Options: c.options, Rendering: atLayer})
				e := got.GetExplanations()[0]
				if !slices.Equal(e.GetFlags(), c.want) {
					t.Errorf("flags are %v, want %v; %v", e.GetFlags(), c.want, e)
				}
				for _, v := range floats(e.GetHeatmap().GetValues()) {
					if math.IsNaN(float64(v)) || v > 1 {
						t.Errorf("value %v", v)
					}
				}
			})
		}
	}
}

// softmaxPole is the picture of just as much red as makes the denominator of red's α zero.
func softmaxPole(t *testing.T) *pb.Image {
	t.Helper()
	denominator := func(v float64) float64 {
		x := newGrid(4, 4).each(func(_, x, k int, _ float64) float64 {
			if k == 0 {
				return v * float64(4-x) / 4
			}
			return 0
		})
		_, numerator, denominator := look(x, 3).softmaxAlpha(0, 0)
		return denominator / numerator
	}
	low, high := -3.0, 3.0
	for v := low; v < high; v += 1.0 / 64 { // between poles that are far from each other
		if a, b := denominator(v), denominator(v+1.0/64); a*b < 0 && math.Abs(a-b) < 1 {
			low, high = v, v+1.0/64
			break
		}
	}
	for range 60 {
		if middle := (low + high) / 2; denominator(low)*denominator(middle) < 0 {
			high = middle
		} else {
			low = middle
		}
	}
	if d := denominator(low); math.Abs(d) > 1e-6 {
		t.Fatalf("no pole was found: %v at %v", d, low)
	}
	return strong(0, float32(low))
}
