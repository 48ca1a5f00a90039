package native_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

// What is drawn: sizes, and colours where the colour map says them. Red on the left makes the left half 1, the right 0.
func TestPictures(t *testing.T) {
	p := painting{4, 4, func(x, _ int) [3]uint8 {
		if x < 2 {
			return [3]uint8{255, 0, 0}
		}
		return [3]uint8{}
	}}
	r := start(t, one(colours()))
	// The ends of matplotlib's colour maps.
	ends := map[pb.Colormap][2]color.NRGBA{
		pb.Colormap_COLORMAP_UNSPECIFIED: {{0, 0, 127, 255}, {127, 0, 0, 255}},
		pb.Colormap_COLORMAP_JET:         {{0, 0, 127, 255}, {127, 0, 0, 255}},
		pb.Colormap_COLORMAP_VIRIDIS:     {{68, 1, 84, 255}, {253, 231, 37, 255}},
		pb.Colormap_COLORMAP_TURBO:       {{48, 18, 59, 255}, {122, 4, 3, 255}},
		pb.Colormap_COLORMAP_MAGMA:       {{0, 0, 4, 255}, {252, 253, 191, 255}},
	}
	for colours, end := range ends {
		got := explain(t, r, p.image(t), &pb.ExplainConfig{Targets: []*pb.Target{class(0)},
			Rendering: &pb.Rendering{HeatmapPng: true, OverlayPng: true, Colormap: colours, Alpha: proto.Float32(1)}})
		e := got.GetExplanations()[0]
		if e.GetHeatmap().GetValues() != nil || e.GetHeatmap().GetHeight() != 4 {
			t.Errorf("values that were not asked for, or no size: %v", e.GetHeatmap())
		}
		for what, data := range map[string][]byte{"heatmap": e.GetHeatmapPng(), "overlay": e.GetOverlayPng()} {
			picture := decoded(t, data)
			if picture.Bounds().Dx() != 4 || picture.Bounds().Dy() != 4 {
				t.Fatalf("the %s is %v", what, picture.Bounds())
			}
			for x, want := range map[int]color.NRGBA{0: end[1], 3: end[0]} {
				if got := color.NRGBAModel.Convert(picture.At(x, 1)).(color.NRGBA); !alike(got, want) {
					t.Errorf("%v: the %s is %v at column %d, want %v", colours, what, got, x, want)
				}
			}
		}
	}

	half := explain(t, r, p.image(t), &pb.ExplainConfig{Targets: []*pb.Target{class(0)}, Rendering: &pb.Rendering{OverlayPng: true}})
	overlay := decoded(t, half.GetExplanations()[0].GetOverlayPng())
	if got := color.NRGBAModel.Convert(overlay.At(0, 0)).(color.NRGBA); !alike(got, color.NRGBA{191, 0, 0, 255}) {
		t.Errorf("half (127, 0, 0) over (255, 0, 0) is %v", got)
	}
}

// A heatmap of the layer's size is drawn at that size, its overlay over what the model sees.
func TestPictureSizes(t *testing.T) {
	r := start(t, one(colours()))
	for _, c := range []struct {
		resolution       pb.Resolution
		heatmap, overlay image.Point
	}{
		{layerSize, image.Pt(2, 2), image.Pt(4, 4)},
		{inputSize, image.Pt(4, 4), image.Pt(4, 4)},
		{originalSize, image.Pt(12, 10), image.Pt(12, 10)},
	} {
		got := explain(t, r, mixed(12, 10).image(t), &pb.ExplainConfig{Rendering: &pb.Rendering{Resolution: c.resolution, HeatmapPng: true, OverlayPng: true}})
		e := got.GetExplanations()[0]
		if size := decoded(t, e.GetHeatmapPng()).Bounds().Size(); size != c.heatmap {
			t.Errorf("%v: the heatmap is %v, want %v", c.resolution, size, c.heatmap)
		}
		if size := decoded(t, e.GetOverlayPng()).Bounds().Size(); size != c.overlay {
			t.Errorf("%v: the overlay is %v, want %v", c.resolution, size, c.overlay)
		}
	}
}

// The figure has a column more than methods and a row per layer and target.
func TestComparison(t *testing.T) {
	r := start(t, one(colours()))
	size := func(methods []pb.Method, targets ...*pb.Target) image.Point {
		got := explain(t, r, mixed(40, 40).image(t), &pb.ExplainConfig{Methods: methods, Targets: targets, Rendering: &pb.Rendering{ComparisonPng: true}})
		for _, e := range got.GetExplanations() {
			if e.GetHeatmap().GetValues() != nil || e.GetHeatmapPng() != nil || e.GetOverlayPng() != nil {
				t.Errorf("pictures that were not asked for: %v", e)
			}
		}
		return decoded(t, got.GetComparisonPng()).Bounds().Size()
	}
	two, three := size([]pb.Method{gradCAM}), size([]pb.Method{gradCAM, cam})
	panel := three.X - two.X
	if panel < 200 || two.X < 2*panel || two.X > 2*panel+panel/2 {
		t.Errorf("two panels are %v, three are %v", two, three)
	}
	rows := size([]pb.Method{gradCAM}, class(0), class(1))
	if row := rows.Y - two.Y; rows.X != two.X || row < 200 || two.Y < row || two.Y > row+row/2 {
		t.Errorf("one row is %v, two are %v", two, rows)
	}
}

// Maps of single pixels are drawn without their few largest values, maps of which only differences count from their
// smallest value on, all others from 0. The values that come back are not touched by that.
func TestContrast(t *testing.T) {
	r := start(t, one(fakemodel.New(20, "red", "green", "blue")))
	first, last := color.NRGBA{68, 1, 84, 255}, color.NRGBA{253, 231, 37, 255} // of viridis
	p := painting{20, 20, func(x, y int) [3]uint8 {
		switch {
		case y == 0 && x < 3: // fewer than one pixel in a hundred
			return [3]uint8{255, 0, 0}
		case x < 10:
			return [3]uint8{51, 0, 0}
		default:
			return [3]uint8{}
		}
	}}
	drawn := func(m pb.Method) (at func(x, y int) color.NRGBA, values []float32) {
		got := explain(t, r, p.image(t), &pb.ExplainConfig{Methods: []pb.Method{m}, Targets: []*pb.Target{class(0)},
			Options:   &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 100}},
			Rendering: &pb.Rendering{Values: true, HeatmapPng: true, OverlayPng: true, Alpha: proto.Float32(1), Colormap: pb.Colormap_COLORMAP_VIRIDIS}})
		e := got.GetExplanations()[0]
		heatmap, overlay := decoded(t, e.GetHeatmapPng()), decoded(t, e.GetOverlayPng())
		return func(x, y int) color.NRGBA {
			c := color.NRGBAModel.Convert(heatmap.At(x, y)).(color.NRGBA)
			if over := color.NRGBAModel.Convert(overlay.At(x, y)).(color.NRGBA); !alike(c, over) {
				t.Errorf("%v at %d, %d: the heatmap is %v, the overlay %v", m, x, y, c, over)
			}
			return c
		}, floats(e.GetHeatmap().GetValues())
	}
	at, values := drawn(gradientXInput)
	if !alike(at(1, 0), last) || !alike(at(1, 5), last) || !alike(at(15, 5), first) {
		t.Errorf("gradient × input is drawn %v where it is largest, %v elsewhere, %v where it is 0", at(1, 0), at(1, 5), at(15, 5))
	}
	near(t, "a value among the others", values[5*20+1], 0.2)

	at, values = drawn(rise)
	least, most := 0, 0
	for i, v := range values {
		if v < values[least] {
			least = i
		}
		if v > values[most] {
			most = i
		}
	}
	if !alike(at(least%20, least/20), first) || !alike(at(most%20, most/20), last) || values[least] < 0.1 || values[most] != 1 {
		t.Errorf("RISE is drawn %v at %v, %v at %v", at(least%20, least/20), values[least], at(most%20, most/20), values[most])
	}

	at, values = drawn(hiResCAM)
	if !alike(at(0, 0), last) || alike(at(1, 15), last) || alike(at(1, 15), first) || !alike(at(19, 15), first) {
		t.Errorf("HiResCAM is drawn %v at %v and %v at %v", at(0, 0), values[0], at(1, 15), values[15*20+1])
	}
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%d bytes are no PNG: %v", len(data), err)
	}
	return m
}

func samePicture(t *testing.T, got image.Image, want painting) {
	t.Helper()
	if got.Bounds().Size() != image.Pt(want.width, want.height) {
		t.Fatalf("the picture is %v, want %d×%d", got.Bounds(), want.width, want.height)
	}
	for y := range want.height {
		for x := range want.width {
			w := want.at(x, y)
			if c := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA); !alike(c, color.NRGBA{w[0], w[1], w[2], 255}) {
				t.Fatalf("pixel %d, %d is %v, want %v", x, y, c, w)
			}
		}
	}
}

// alike allows one level of rounding.
func alike(a, b color.NRGBA) bool {
	near := func(x, y uint8) bool { return max(x, y)-min(x, y) <= 1 }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B) && a.A == b.A
}
