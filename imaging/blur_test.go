package imaging

import (
	"math"
	"testing"

	"github.com/explaind/explaind"
)

// A single bright pixel becomes the kernel itself: e^(−d²/50) in both directions, over its sum.
func TestBlurOfAPoint(t *testing.T) {
	x := explaind.NewTensor(21, 23, 2)
	x.Data[(10*23+11)*2+1] = 1
	sum := 0.0
	for d := -5; d <= 5; d++ {
		sum += math.Exp(-float64(d*d) / 50)
	}
	got := Blur(x)
	for i := range 21 {
		for j := range 23 {
			want := 0.0
			if dy, dx := i-10, j-11; max(dy, -dy) <= 5 && max(dx, -dx) <= 5 {
				want = math.Exp(-float64(dy*dy+dx*dx)/50) / (sum * sum)
			}
			for c, w := range []float64{0, want} {
				if v := got.Data[(i*23+j)*2+c]; math.Abs(float64(v)-w) > 1e-8 {
					t.Errorf("at %d, %d, channel %d: %v, want %v", i, j, c, v, w)
				}
			}
		}
	}
}

// The border is repeated outwards, so that a picture of one colour stays as it is, however small.
func TestBlurKeepsOneColour(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 30}, {4, 3}, {16, 16}} {
		x := explaind.NewTensor(size[0], size[1], 3)
		for i := range x.Data {
			x.Data[i] = float32(i%3) - 0.5
		}
		for i, v := range Blur(x).Data {
			if math.Abs(float64(v-x.Data[i])) > 1e-6 {
				t.Fatalf("%v: value %d became %v", size, i, v)
			}
		}
	}
}

// Black is what the model sees of a black picture.
func TestBlack(t *testing.T) {
	for _, c := range []struct {
		how      explaind.Preprocessing
		channels int
		want     []float32
	}{
		{explaind.Preprocessing{Mode: explaind.ModeNone}, 3, []float32{0, 0, 0}},
		{explaind.Preprocessing{Mode: explaind.ModeTF}, 1, []float32{-1}},
		{explaind.Preprocessing{Mode: explaind.ModeCaffe, Crop: explaind.CropCenter}, 3, []float32{-103.939, -116.779, -123.68}},
		{explaind.Preprocessing{Mean: []float32{127}, Std: []float32{128}}, 3, []float32{-0.9921875, -0.9921875, -0.9921875}},
	} {
		got, err := Black(c.how, c.channels)
		if err != nil || len(got) != len(c.want) {
			t.Fatalf("%+v: %v, %v", c.how, got, err)
		}
		for i, w := range c.want {
			if math.Abs(float64(got[i]-w)) > 1e-5 {
				t.Errorf("%+v: %v, want %v", c.how, got, c.want)
			}
		}
	}
	if _, err := Black(explaind.Preprocessing{}, 4); err == nil {
		t.Error("four channels have a black")
	}
}
