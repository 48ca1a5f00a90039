package imaging

import "github.com/explaind/explaind"

// Frame is the part of the original picture that a view shows: columns X0 to X1−1 and rows Y0 to Y1−1.
type Frame struct{ X0, Y0, X1, Y1 int }

// crop is what remains of a picture. The central square is that of EfficientNet's evaluation (preprocessing.py,
// _decode_and_center_crop): its side is cut to an integer and at least 1, and an odd remainder goes to the top and left.
func crop(p *Picture, how explaind.Preprocessing) (Frame, error) {
	switch how.Crop {
	case "", explaind.CropNone:
		return Frame{X1: p.Width, Y1: p.Height}, nil
	case explaind.CropCenter:
	default:
		return Frame{}, badPreprocessing("crop is %q; it must be none or center", how.Crop)
	}
	fraction := how.CropFraction
	if fraction == 0 {
		fraction = explaind.DefaultCropFraction
	}
	if !(fraction > 0 && fraction <= 1) { // false for NaN too
		return Frame{}, badPreprocessing("crop_fraction is %v; it must be above 0 and at most 1", fraction)
	}
	side := max(int(fraction*float64(min(p.Width, p.Height))), 1)
	x, y := (p.Width-side+1)/2, (p.Height-side+1)/2
	return Frame{X0: x, Y0: y, X1: x + side, Y1: y + side}, nil
}
