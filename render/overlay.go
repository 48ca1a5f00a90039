package render

import (
	"image"
	"math"

	"github.com/explaind/explaind"
)

// Overlay lays a coloured map over a picture: alpha·colour + (1−alpha)·picture, rounded to the nearest of 0…255. pix is
// RGB in row-major order, 3·width·height bytes; the map, as Normalize leaves it, has the picture's size. Values outside
// 0…1 are drawn as in HeatmapImage. The result is opaque.
//
// Errors are *explaind.Error: InvalidArgument for an alpha outside 0…1, Internal for sizes that do not agree.
func Overlay(pix []uint8, width, height int, h *explaind.Heatmap, c Colormap, alpha float64) (*image.RGBA, error) {
	if !(alpha >= 0 && alpha <= 1) {
		return nil, explaind.Errorf(explaind.InvalidArgument, "BAD_ALPHA", "alpha is the heatmap's weight, from 0 to 1, got %v", alpha)
	}
	if !complete(h) {
		return nil, explaind.Errorf(explaind.Internal, "EMPTY_HEATMAP", "the heatmap that shall be laid over a picture has no values, or not as many as its size says")
	}
	if h.Width != width || h.Height != height || len(pix)%3 != 0 || len(pix)/3 != len(h.Values) {
		return nil, explaind.Errorf(explaind.Internal, "SIZE_MISMATCH",
			"a heatmap of %d×%d cannot be laid over a picture of %d×%d with %d bytes; both must have one size, and the picture 3 bytes a pixel",
			h.Width, h.Height, width, height, len(pix))
	}
	heat, under := heatShare(c, alpha), pictureShare(1-alpha)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, v := range h.Values {
		colour, from, to := &heat[level(v)], pix[3*i:3*i+3:3*i+3], out.Pix[4*i:4*i+4:4*i+4]
		to[0] = uint8((colour[0] + under[from[0]]) >> fixedBits)
		to[1] = uint8((colour[1] + under[from[1]]) >> fixedBits)
		to[2] = uint8((colour[2] + under[from[2]]) >> fixedBits)
		to[3] = 0xff
	}
	return out, nil
}

// The two shares of a pixel are kept as fixed-point numbers, so that each costs one look-up.
const fixedBits = 16

func fixedPoint(v float64) uint32 { return uint32(math.Round(v * (1 << fixedBits))) }

// heatShare is weight·colour per level, with the half that makes the later cut a rounding.
func heatShare(c Colormap, weight float64) *[256][3]uint32 {
	var share [256][3]uint32
	for i, colour := range c.table() {
		for k, v := range colour {
			share[i][k] = fixedPoint(weight*float64(v)) + 1<<(fixedBits-1)
		}
	}
	return &share
}

// pictureShare is weight·v for each value of a pixel.
func pictureShare(weight float64) *[256]uint32 {
	var share [256]uint32
	for v := range share {
		share[v] = fixedPoint(weight * float64(v))
	}
	return &share
}
