package imaging

import "github.com/explaind/explaind"

// Prepared is a picture as a model takes it.
type Prepared struct {
	Tensor *explaind.Tensor // [height, width, channels], the model's input
	View   *Picture         // what the model sees, width × height: cropped and resized, rounded to 0…255, RGB, or grey for a model of one channel
	Frame  Frame            // the part of the original picture that View shows
}

// mostPixels bounds the input of a model whose own size makes no sense, before memory is asked for: 3 GiB of float32.
const mostPixels = 1 << 28

// Prepare crops, resizes and scales a picture, in this order. A height or width of 0 keeps the picture's own, after the
// crop. channels is 3, or 1 for grey: 0.2989·R + 0.5870·G + 0.1140·B, as tf.image.rgb_to_grayscale.
//
// The error is an InvalidArgument: SHAPE_MISMATCH for other channels, INPUT_TOO_LARGE for an input of more than 2²⁸
// pixels, those of FromRGB for a picture that is none; or a FailedPrecondition BAD_PREPROCESSING if how makes no sense.
func Prepare(p *Picture, how explaind.Preprocessing, height, width, channels int) (*Prepared, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if channels != 1 && channels != 3 {
		return nil, explaind.Errorf(explaind.InvalidArgument, "SHAPE_MISMATCH",
			"the model takes %d channels and a picture gives 3 (RGB) or 1 (grey); send the model's own input as a FLOAT32 tensor", channels)
	}
	values, err := newAffine(how, channels)
	if err != nil {
		return nil, err
	}
	frame, err := crop(p, how)
	if err != nil {
		return nil, err
	}
	switch how.Resize {
	case "", explaind.ResizeBilinear, explaind.ResizeBicubic, explaind.ResizeArea:
	default:
		return nil, badPreprocessing("resize is %q; it must be bilinear, bicubic or area", how.Resize)
	}
	if height == 0 {
		height = frame.Y1 - frame.Y0
	}
	if width == 0 {
		width = frame.X1 - frame.X0
	}
	if height < 0 || width < 0 || width > mostPixels/height {
		return nil, explaind.Errorf(explaind.InvalidArgument, "INPUT_TOO_LARGE",
			"a model input of height %d and width %d cannot be made; at most %d pixels can", height, width, mostPixels)
	}
	pixels := resize(p, frame, how.Resize, height, width)
	if channels == 1 {
		pixels = grey(pixels)
	}
	view := viewOf(pixels, height, width, channels)
	values.apply(pixels)
	tensor := &explaind.Tensor{Shape: []int{height, width, channels}, Data: pixels}
	return &Prepared{Tensor: tensor, View: view, Frame: frame}, nil
}

func grey(rgb []float32) []float32 {
	out := make([]float32, len(rgb)/3)
	for i := range out {
		out[i] = 0.2989*rgb[3*i] + 0.5870*rgb[3*i+1] + 0.1140*rgb[3*i+2]
	}
	return out
}

// viewOf rounds pixels to what can be looked at.
func viewOf(pixels []float32, height, width, channels int) *Picture {
	view := newPicture(width, height)
	if channels == 3 {
		for i, v := range pixels {
			view.Pix[i] = rounded(v)
		}
		return view
	}
	for i, v := range pixels {
		g := rounded(v)
		view.Pix[3*i], view.Pix[3*i+1], view.Pix[3*i+2] = g, g, g
	}
	return view
}

func rounded(v float32) uint8 { return uint8(min(max(v, 0), 255) + 0.5) }

// Black is what becomes of a black pixel, for each channel of the model's input. Errors are those of Prepare.
func Black(how explaind.Preprocessing, channels int) ([]float32, error) {
	how.Crop = explaind.CropNone
	black, err := Prepare(newPicture(1, 1), how, 1, 1, channels)
	if err != nil {
		return nil, err
	}
	return black.Tensor.Data, nil
}
