package service

import (
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

func TestSaturated(t *testing.T) {
	for p, want := range map[float32]bool{0: true, 1e-31: true, 1e-29: false, 0.5: false, 0.999998: false, 0.9999995: true, 1: true} {
		if saturated(p) != want {
			t.Errorf("saturated(%v) is %v", p, !want)
		}
	}
}

func TestUnion(t *testing.T) {
	const a, b, c = explaind.FlagFlat, explaind.FlagNonFinite, explaind.FlagSaturatedScore
	shared := make([]explaind.Flag, 1, 8)
	shared[0] = a
	for _, x := range []struct{ first, second, want []explaind.Flag }{
		{nil, nil, nil}, {shared, nil, []explaind.Flag{a}}, {shared, []explaind.Flag{b, a, c}, []explaind.Flag{a, b, c}},
	} {
		if got := union(x.first, x.second); !slices.Equal(got, x.want) {
			t.Errorf("union(%v, %v) is %v, want %v", x.first, x.second, got, x.want)
		}
	}
	if rest := shared[:2]; rest[1] != 0 {
		t.Error("union wrote into its argument")
	}
}

// A tensor is drawn from its smallest value, black, to its largest, white.
func TestGreyOrRGB(t *testing.T) {
	for what, c := range map[string]struct {
		values   []float32
		channels int
		want     []uint8
	}{
		"rgb":             {[]float32{-1, 0, 1, 0.5, -0.5, 0}, 3, []uint8{0, 128, 255, 191, 64, 128}},
		"grey":            {[]float32{2, 4, 3}, 1, []uint8{0, 0, 0, 255, 255, 255, 128, 128, 128}},
		"mean of two":     {[]float32{0, 0, 1, 3}, 2, []uint8{0, 0, 0, 255, 255, 255}},
		"of one value":    {[]float32{7, 7, 7}, 3, []uint8{0, 0, 0}},
		"of a wide range": {[]float32{-3e38, 0, 3e38}, 3, []uint8{0, 128, 255}},
	} {
		if got := greyOrRGB(c.values, c.channels); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// The size of a shape is checked before it is multiplied.
func TestImageShape(t *testing.T) {
	const most = 1 << 20
	for _, c := range []struct {
		shape []int64
		want  []int
	}{
		{[]int64{1, 1, 1}, []int{1, 1, 1}},
		{[]int64{1, 2, 3, 4}, []int{2, 3, 4}},
		{[]int64{1 << 10, 1 << 10, 3}, []int{1 << 10, 1 << 10, 3}},
		{[]int64{1 << 10, 1<<10 + 1, 3}, nil},
		{[]int64{most, 1, 1}, []int{most, 1, 1}},
		{[]int64{most + 1, 1, 1}, nil},
		{[]int64{1 << 62, 1 << 62, 1 << 62}, nil},
		{[]int64{2, 2, 3, 4}, nil},
		{[]int64{0, 1, 1}, nil},
		{[]int64{1, -1, 1}, nil},
		{make([]int64, 1<<16), nil},
		{nil, nil},
	} {
		got, err := imageShape(c.shape, most)
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("imageShape(%v…) is %v, %v; want %v", clipShape(c.shape), got, err, c.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("the error has %d characters", len(err.Error()))
		}
	}
}

// A figure names what the settings make of a method.
func TestTitle(t *testing.T) {
	for _, c := range []struct {
		method    explaind.Method
		statistic explaind.NoiseStatistic
		want      string
	}{
		{explaind.MethodSmoothGrad, explaind.NoiseMean, "SmoothGrad"},
		{explaind.MethodSmoothGrad, explaind.NoiseVariance, "VarGrad"},
		{explaind.MethodSmoothGrad, explaind.NoiseSquare, "SquareGrad"},
		{explaind.MethodSmoothGradCAMPlusPlus, explaind.NoiseVariance, "Smooth Grad-CAM++"},
	} {
		p := plan{options: explaind.MethodOptions{Noise: explaind.NoiseOptions{Statistic: c.statistic}}}
		if got := p.title(c.method); got != c.want {
			t.Errorf("%s of statistic %d is titled %q, want %q", c.method, c.statistic, got, c.want)
		}
	}
}
