package service

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
)

// floatSource takes a FLOAT32 tensor as the model's own input. Its shape must be the model's; free dimensions are
// bounded.
func (s *Service) floatSource(t *Tensor, spec *explaind.Spec) (*source, error) {
	shape, err := imageShape(t.Shape, s.options.Images.MaxPixels)
	if err != nil {
		return nil, err
	}
	in := spec.Input
	if !fits(shape[0], in.Height) || !fits(shape[1], in.Width) || shape[2] != in.Channels {
		return nil, explaind.FieldError("image.tensor.shape", "SHAPE_MISMATCH", "the model takes FLOAT32 [%s, %s, %d], got %v; send the file or UINT8 pixels to have it resized",
			dimension(in.Height), dimension(in.Width), in.Channels, t.Shape)
	}
	if in.Height == 0 || in.Width == 0 {
		if err := s.checkInputSize(shape[0], shape[1], "image.tensor.shape"); err != nil {
			return nil, err
		}
	}
	if err := checkLength(t, 4*explaind.Elements(shape)); err != nil {
		return nil, err
	}
	return &source{shape[0] * shape[1], func() (*input, error) { return floatInput(t, shape) }}, nil
}

// floatInput reads the tensor. There is no picture, so heatmaps are drawn over the tensor itself.
func floatInput(t *Tensor, shape []int) (*input, error) {
	values, err := floats(t.Data)
	if err != nil {
		return nil, err
	}
	picture, err := imaging.FromRGB(greyOrRGB(values, shape[2]), shape[1], shape[0])
	if err != nil {
		return nil, explaind.AtField(err, "image.tensor")
	}
	return &input{
		tensor:   &explaind.Tensor{Shape: append([]int{1}, shape...), Data: values},
		view:     picture,
		original: picture,
		frame:    imaging.Frame{X1: shape[1], Y1: shape[0]},
	}, nil
}

func fits(got, want int) bool { return want == 0 || got == want }

func dimension(d int) string {
	if d == 0 {
		return "any"
	}
	return strconv.Itoa(d)
}

// floats reads little-endian values, all of which must be finite: a NaN anywhere makes every class NaN.
func floats(data []byte) ([]float32, error) {
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if !explaind.Finite(values[i]) {
			return nil, explaind.FieldError("image.tensor.data", "NON_FINITE", "value %d is %v; all values must be finite", i, values[i])
		}
	}
	return values, nil
}

// greyOrRGB makes pixels 0…255 of model input, for drawing only: from its smallest to its largest value, as RGB if it
// has three channels, else as the grey mean of the channels.
func greyOrRGB(values []float32, channels int) []uint8 {
	grey := values
	if channels != 3 {
		grey = make([]float32, len(values)/channels)
		for i := range grey {
			for _, v := range values[i*channels : (i+1)*channels] {
				grey[i] += v / float32(channels)
			}
		}
	}
	m := explaind.Heatmap{Values: grey}
	lo, hi := m.Range()
	scale := 0.0
	if hi > lo {
		scale = 255 / (float64(hi) - float64(lo))
	}
	repeat := 1
	if channels != 3 {
		repeat = 3
	}
	pixels := make([]uint8, 0, len(grey)*repeat)
	for _, v := range grey {
		p := uint8(math.Round((float64(v) - float64(lo)) * scale))
		for range repeat {
			pixels = append(pixels, p)
		}
	}
	return pixels
}
