package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/bench/bare"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/imaging"
)

// The JPEG is as large as a small photo.
const (
	photoWidth  = 640
	photoHeight = 480
)

// pictures are one image in the forms in which it is sent.
type pictures struct {
	tensor, jpeg *pb.Image
}

func newPictures(spec *explaind.Spec) (*pictures, error) {
	height, width := bare.Side(spec.Input.Height), bare.Side(spec.Input.Width)
	pixels := make([]byte, 0, 3*height*width)
	for y := range height {
		for x := range width {
			c := shade(float64(x)/float64(width), float64(y)/float64(height))
			pixels = append(pixels, c.R, c.G, c.B)
		}
	}
	photo := image.NewRGBA(image.Rect(0, 0, photoWidth, photoHeight))
	for y := range photoHeight {
		for x := range photoWidth {
			photo.Set(x, y, shade(float64(x)/photoWidth, float64(y)/photoHeight))
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, photo, &jpeg.Options{Quality: 90}); err != nil {
		return nil, err
	}
	return &pictures{
		tensor: &pb.Image{Source: &pb.Image_Tensor{Tensor: &pb.Tensor{
			Shape: []int64{int64(height), int64(width), 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: pixels,
		}}},
		jpeg: &pb.Image{Source: &pb.Image_Encoded{Encoded: file.Bytes()}},
	}, nil
}

// shade has large forms and fine texture, as a photo has.
func shade(x, y float64) color.RGBA {
	wave := func(a, b, phase float64) uint8 {
		v := 0.5 + 0.3*math.Sin(a*x+b*y+phase) + 0.2*math.Sin(40*a*x*y+31*b*x)
		return uint8(255 * min(max(v, 0), 1))
	}
	return color.RGBA{R: wave(7, 3, 0), G: wave(5, 11, 1), B: wave(2, 9, 2), A: 255}
}

// decode is what a server has to do with an image before the model can run on it.
func decode(p *pb.Image, spec *explaind.Spec) (*explaind.Tensor, error) {
	in := spec.Input
	var picture *imaging.Picture
	var err error
	if t := p.GetTensor(); t != nil {
		picture, err = imaging.FromRGB(t.GetData(), int(t.GetShape()[1]), int(t.GetShape()[0]))
	} else {
		picture, err = imaging.Decode(p.GetEncoded(), imaging.Limits{})
	}
	if err != nil {
		return nil, err
	}
	prepared, err := imaging.Prepare(picture, spec.Preprocessing, bare.Side(in.Height), bare.Side(in.Width), in.Channels)
	if err != nil {
		return nil, err
	}
	return &explaind.Tensor{Shape: append([]int{1}, prepared.Tensor.Shape...), Data: prepared.Tensor.Data}, nil
}
