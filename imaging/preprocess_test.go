package imaging

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

// values.json was made by EfficientNet's crop, tf.image.resize and keras' preprocess_input or rgb_to_grayscale, all in
// float32. Relative to the largest value of a case the results differ by up to 4e-7, which is float32's own rounding.
func TestPrepareGoldens(t *testing.T) {
	var cases []struct {
		Name string
		How  struct {
			Mode         explaind.Mode
			Mean, Std    []float32
			Scale        float32
			BGR          bool
			Channels     int
			Resize       explaind.Resize
			CropFraction float64 `json:"crop_fraction"`
		}
		From, To [2]int
		Frame    [4]int
		Values   []float64
	}
	readGoldens(t, "values.json", &cases)
	if len(cases) < 9 {
		t.Fatalf("%d goldens", len(cases))
	}
	for _, c := range cases {
		how := explaind.Preprocessing{
			Mode: c.How.Mode, Mean: c.How.Mean, Std: c.How.Std, Scale: c.How.Scale,
			BGR: c.How.BGR, Resize: c.How.Resize, CropFraction: c.How.CropFraction,
		}
		if c.How.CropFraction != 0 {
			how.Crop = explaind.CropCenter
		}
		got, err := Prepare(pattern(c.From[0], c.From[1]), how, c.To[0], c.To[1], c.How.Channels)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if want := (Frame{c.Frame[0], c.Frame[1], c.Frame[2], c.Frame[3]}); got.Frame != want {
			t.Errorf("%s: frame %v, want %v", c.Name, got.Frame, want)
		}
		if want := []int{c.To[0], c.To[1], c.How.Channels}; !slices.Equal(got.Tensor.Shape, want) || len(got.Tensor.Data) != len(c.Values) {
			t.Fatalf("%s: %v of %d values, want %v of %d", c.Name, got.Tensor, len(got.Tensor.Data), want, len(c.Values))
		}
		var difference, largest float64
		for i, want := range c.Values {
			difference = max(difference, math.Abs(float64(got.Tensor.Data[i])-want))
			largest = max(largest, math.Abs(want))
		}
		if !(difference <= 5e-7*largest) {
			t.Errorf("%s: differs by %.2g of %.3g", c.Name, difference, largest)
		}
	}
}

// The view is the tensor of ModeNone, rounded; bicubic overshoots 0…255 on this pattern, so clamping is seen.
func TestViewIsWhatTheModelSees(t *testing.T) {
	for _, channels := range []int{1, 3} {
		how := explaind.Preprocessing{Mode: explaind.ModeNone, Resize: explaind.ResizeBicubic}
		plain, err := Prepare(pattern(20, 30), how, 33, 41, channels)
		if err != nil {
			t.Fatal(err)
		}
		overshoot := slices.Max(plain.Tensor.Data) > 255.5 && slices.Min(plain.Tensor.Data) < -0.5
		if channels == 3 && !overshoot {
			t.Error("nothing to clamp: the test is blind")
		}
		if plain.View.Width != 41 || plain.View.Height != 33 {
			t.Fatalf("the view is %d×%d", plain.View.Width, plain.View.Height)
		}
		for i, v := range plain.View.Pix {
			value := float64(plain.Tensor.Data[i*channels/3])
			if want := math.Floor(min(max(value, 0), 255) + 0.5); float64(v) != want {
				t.Fatalf("%d channels: view %d is %d for %v", channels, i, v, value)
			}
		}
		how.Mode, how.BGR = explaind.ModeTF, true
		scaled, err := Prepare(pattern(20, 30), how, 33, 41, channels)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(scaled.View.Pix, plain.View.Pix) {
			t.Errorf("%d channels: the view depends on scaling or on the order of channels", channels)
		}
	}
}

func TestPrepareKeepsThePicturesOwnSize(t *testing.T) {
	p := pattern(20, 31)
	for _, c := range []struct {
		how           explaind.Preprocessing
		height, width int
		want          []int
		frame         Frame
	}{
		{explaind.Preprocessing{}, 0, 0, []int{20, 31, 3}, Frame{0, 0, 31, 20}},
		{explaind.Preprocessing{}, 0, 8, []int{20, 8, 3}, Frame{0, 0, 31, 20}},
		{explaind.Preprocessing{}, 8, 0, []int{8, 31, 3}, Frame{0, 0, 31, 20}},
		// 0.875 × 20 = 17.5, cut to 17; (31−17+1)/2 = 7 and (20−17+1)/2 = 2
		{explaind.Preprocessing{Crop: explaind.CropCenter}, 0, 0, []int{17, 17, 3}, Frame{7, 2, 24, 19}},
		{explaind.Preprocessing{Crop: explaind.CropCenter, CropFraction: 1}, 0, 0, []int{20, 20, 3}, Frame{6, 0, 26, 20}},
		{explaind.Preprocessing{Crop: explaind.CropCenter, CropFraction: 1e-9}, 0, 0, []int{1, 1, 3}, Frame{15, 10, 16, 11}},
	} {
		got, err := Prepare(p, c.how, c.height, c.width, 3)
		if err != nil {
			t.Errorf("%+v: %v", c.how, err)
			continue
		}
		if !slices.Equal(got.Tensor.Shape, c.want) || got.Frame != c.frame {
			t.Errorf("%+v: %v of %v, want %v of %v", c.how, got.Tensor.Shape, got.Frame, c.want, c.frame)
		}
		if c.height+c.width == 0 {
			i := 3 * (c.frame.Y0*p.Width + c.frame.X0)
			if !bytes.Equal(got.View.Pix[:3], p.Pix[i:i+3]) || got.Tensor.Data[2] != float32(p.Pix[i+2]) {
				t.Errorf("%+v: pixels changed although the size did not", c.how)
			}
		}
	}
}

func TestCropOfTheSmallestPictures(t *testing.T) {
	for w := 1; w <= 12; w++ {
		for h := 1; h <= 12; h++ {
			for _, fraction := range []float64{0, 1e-3, 0.3, 0.99, 1} {
				f, err := crop(newPicture(w, h), explaind.Preprocessing{Crop: explaind.CropCenter, CropFraction: fraction})
				if err != nil {
					t.Fatal(err)
				}
				if f.X0 < 0 || f.Y0 < 0 || f.X1 > w || f.Y1 > h || f.X1-f.X0 < 1 || f.X1-f.X0 != f.Y1-f.Y0 {
					t.Errorf("%d×%d by %v: %v", w, h, fraction, f)
				}
			}
		}
	}
}

func TestPrepareErrors(t *testing.T) {
	p := pattern(4, 4)
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		picture                 *Picture
		how                     explaind.Preprocessing
		height, width, channels int
		code                    explaind.Code
		reason, says            string
	}{
		"four channels":     {p, explaind.Preprocessing{}, 2, 2, 4, explaind.InvalidArgument, "SHAPE_MISMATCH", "4 channels"},
		"no channels":       {p, explaind.Preprocessing{}, 2, 2, 0, explaind.InvalidArgument, "SHAPE_MISMATCH", "FLOAT32"},
		"negative height":   {p, explaind.Preprocessing{}, -2, 2, 3, explaind.InvalidArgument, "INPUT_TOO_LARGE", "-2"},
		"huge":              {p, explaind.Preprocessing{}, 1 << 40, 1 << 40, 3, explaind.InvalidArgument, "INPUT_TOO_LARGE", "at most"},
		"no pixels":         {&Picture{Width: 2, Height: 2}, explaind.Preprocessing{}, 2, 2, 3, explaind.InvalidArgument, "BAD_LENGTH", "12 bytes"},
		"empty picture":     {&Picture{}, explaind.Preprocessing{}, 2, 2, 3, explaind.InvalidArgument, "BAD_SHAPE", "at least 1"},
		"unknown mode":      {p, explaind.Preprocessing{Mode: "keras"}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "caffe"},
		"unknown resize":    {p, explaind.Preprocessing{Resize: "lanczos"}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "bicubic"},
		"unknown crop":      {p, explaind.Preprocessing{Crop: "left"}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "center"},
		"fraction":          {p, explaind.Preprocessing{Crop: explaind.CropCenter, CropFraction: 1.5}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "1.5"},
		"fraction NaN":      {p, explaind.Preprocessing{Crop: explaind.CropCenter, CropFraction: math.NaN()}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "NaN"},
		"mode and mean":     {p, explaind.Preprocessing{Mode: explaind.ModeTF, Mean: []float32{1}}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "either"},
		"two means":         {p, explaind.Preprocessing{Mean: []float32{1, 2}}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "mean has 2"},
		"std of RGB, grey":  {p, explaind.Preprocessing{Std: []float32{1, 2, 3}}, 2, 2, 1, explaind.FailedPrecondition, "BAD_PREPROCESSING", "std has 3"},
		"std of 0":          {p, explaind.Preprocessing{Std: []float32{0}}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "must not be 0"},
		"mean of NaN":       {p, explaind.Preprocessing{Mean: []float32{nan}}, 2, 2, 3, explaind.FailedPrecondition, "BAD_PREPROCESSING", "finite"},
		"caffe with grey":   {p, explaind.Preprocessing{Mode: explaind.ModeCaffe}, 2, 2, 1, explaind.FailedPrecondition, "BAD_PREPROCESSING", "one channel"},
		"torch with grey":   {p, explaind.Preprocessing{Mode: explaind.ModeTorch}, 2, 2, 1, explaind.FailedPrecondition, "BAD_PREPROCESSING", "one channel"},
		"overflowing sides": {&Picture{Width: math.MaxInt / 2, Height: 7}, explaind.Preprocessing{}, 2, 2, 3, explaind.InvalidArgument, "BAD_SHAPE", "wide"},
	} {
		got, err := Prepare(c.picture, c.how, c.height, c.width, c.channels)
		var e *explaind.Error
		if got != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		if e.Code != c.code || e.Reason != c.reason || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: code %d %s %q; want code %d %s with %q", name, e.Code, e.Reason, e.Message, c.code, c.reason, c.says)
		}
	}
}

func TestFromRGBSharesAndChecks(t *testing.T) {
	pix := make([]uint8, 12)
	p, err := FromRGB(pix, 2, 2)
	if err != nil || &p.Pix[0] != &pix[0] {
		t.Fatalf("%v, %v", p, err)
	}
	for _, c := range []struct {
		n, width, height int
		reason           string
	}{
		{11, 2, 2, "BAD_LENGTH"}, {13, 2, 2, "BAD_LENGTH"}, {0, 0, 4, "BAD_SHAPE"}, {0, 4, 0, "BAD_SHAPE"},
		{12, -2, -2, "BAD_SHAPE"}, {0, 1 << 32, 1 << 32, "BAD_SHAPE"}, {0, math.MaxInt, 3, "BAD_SHAPE"},
	} {
		_, err := FromRGB(make([]uint8, c.n), c.width, c.height)
		var e *explaind.Error
		if !errors.As(err, &e) || e.Code != explaind.InvalidArgument || e.Reason != c.reason {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
