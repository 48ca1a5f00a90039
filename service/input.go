package service

import (
	"cmp"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
)

// input is an image as the model takes it, and the pictures that heatmaps are drawn over.
type input struct {
	tensor   *explaind.Tensor // [1, H, W, C]
	view     *imaging.Picture // what the model sees, W×H
	original *imaging.Picture // as it came; nil unless it is drawn over
	frame    imaging.Frame    // the part of original that view shows
}

func (in *input) size() (height, width int) { return in.tensor.Shape[1], in.tensor.Shape[2] }

// source is an image whose size was read and checked, and no more.
type source struct {
	pixels  int                    // of the picture as it came
	prepare func() (*input, error) // decodes it and makes model input of it
}

// source reads as much of an image as tells its size.
func (s *Service) source(image *Image, spec *explaind.Spec) (*source, error) {
	switch {
	case image.Tensor != nil && image.Tensor.DType == Float32:
		return s.floatSource(image.Tensor, spec)
	case image.Tensor != nil:
		picture, err := s.pixels(image.Tensor)
		if err != nil {
			return nil, err
		}
		return &source{picture.Width * picture.Height, func() (*input, error) { return s.pictureInput(picture, spec, "image.tensor") }}, nil
	case len(image.Encoded) > 0:
		const field = "image.encoded"
		file, err := imaging.Open(image.Encoded, s.options.Images)
		if err != nil {
			return nil, explaind.AtField(err, field)
		}
		return &source{file.Width * file.Height, func() (*input, error) {
			picture, err := file.Decode()
			if err != nil {
				return nil, explaind.AtField(err, field)
			}
			return s.pictureInput(picture, spec, field)
		}}, nil
	default:
		return nil, explaind.FieldError("image", "IMAGE_REQUIRED", "there is no image; give a file's bytes as encoded, or a tensor")
	}
}

// pictureInput applies the model's preprocessing.
func (s *Service) pictureInput(p *imaging.Picture, spec *explaind.Spec, field string) (*input, error) {
	in := spec.Input
	if in.Height == 0 || in.Width == 0 {
		if err := s.checkInputSize(cmp.Or(in.Height, p.Height), cmp.Or(in.Width, p.Width), field); err != nil {
			return nil, err
		}
	}
	prepared, err := imaging.Prepare(p, spec.Preprocessing, in.Height, in.Width, in.Channels)
	if err != nil {
		return nil, explaind.AtField(err, field)
	}
	return &input{tensor: withBatch(prepared.Tensor), view: prepared.View, original: p, frame: prepared.Frame}, nil
}

// checkInputSize bounds what a model of free size has to compute on.
func (s *Service) checkInputSize(height, width int, field string) error {
	if pixels := height * width; pixels > s.options.MaxInputPixels {
		return explaind.FieldError(field, "INPUT_TOO_LARGE",
			"the model takes images of any size, but %d×%d are %d pixels and the server allows %d; send a smaller one", width, height, pixels, s.options.MaxInputPixels)
	}
	return nil
}

// withBatch adds the leading dimension 1 where it is missing. The data is shared.
func withBatch(t *explaind.Tensor) *explaind.Tensor {
	if len(t.Shape) == 4 {
		return t
	}
	return &explaind.Tensor{Shape: append([]int{1}, t.Shape...), Data: t.Data}
}

// pixels takes a UINT8 tensor [H, W, 3], or [1, H, W, 3], as a picture.
func (s *Service) pixels(t *Tensor) (*imaging.Picture, error) {
	if t.DType != UInt8 {
		return nil, explaind.FieldError("image.tensor.dtype", "BAD_DTYPE", "the tensor has no type that is known; give FLOAT32 or UINT8")
	}
	shape, err := imageShape(t.Shape, s.options.Images.MaxPixels)
	if err != nil {
		return nil, err
	}
	if shape[2] != 3 {
		return nil, explaind.FieldError("image.tensor.shape", "SHAPE_MISMATCH", "a UINT8 tensor must be RGB pixels [height, width, 3], got %v", t.Shape)
	}
	if err := checkLength(t, explaind.Elements(shape)); err != nil {
		return nil, err
	}
	p, err := imaging.FromRGB(t.Data, shape[1], shape[0])
	return p, explaind.AtField(err, "image.tensor")
}

// imageShape checks a shape [H, W, C] or [1, H, W, C] before anything is computed from it, and returns [H, W, C].
func imageShape(shape []int64, maxPixels int) ([]int, error) {
	const field = "image.tensor.shape"
	dims := shape
	if len(dims) == 4 && dims[0] == 1 {
		dims = dims[1:]
	}
	if len(dims) != 3 {
		return nil, explaind.FieldError(field, "BAD_SHAPE", "one image has the shape [height, width, channels], got %v", clipShape(shape))
	}
	out := make([]int, 3)
	for i, d := range dims {
		if d <= 0 {
			return nil, explaind.FieldError(field, "BAD_SHAPE", "dimension %d of %v is not positive", len(shape)-3+i, shape)
		}
		if d > int64(maxPixels) {
			return nil, tooLarge(field, shape, maxPixels)
		}
		out[i] = int(d)
	}
	if out[0] > maxPixels/out[1] {
		return nil, tooLarge(field, shape, maxPixels)
	}
	return out, nil
}

func tooLarge(field string, shape []int64, maxPixels int) error {
	return explaind.FieldError(field, "IMAGE_TOO_LARGE", "%v has more pixels than the %d that the server allows; send a smaller image", shape, maxPixels)
}

// clipShape keeps error texts short: shapes come from clients.
func clipShape(shape []int64) []int64 { return shape[:min(len(shape), 8)] }

func checkLength(t *Tensor, want int) error {
	if len(t.Data) == want {
		return nil
	}
	return explaind.FieldError("image.tensor.data", "BAD_LENGTH", "a tensor %v of this type has %d bytes, got %d", t.Shape, want, len(t.Data))
}
