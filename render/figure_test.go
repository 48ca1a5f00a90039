package render

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"testing"

	"github.com/explaind/explaind"
)

var (
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
	red   = color.RGBA{0xf0, 0, 0, 0xff}
	green = color.RGBA{0, 0xf0, 0, 0xff}
	blue  = color.RGBA{0, 0, 0xf0, 0xff}
)

func filled(width, height int, c color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

func drawn(tb testing.TB, rows [][]Panel, title string) *image.RGBA {
	tb.Helper()
	img, err := Comparison(rows, title)
	if err != nil {
		tb.Fatal(err)
	}
	return img.(*image.RGBA)
}

// where is the smallest rectangle around all pixels that are wanted, and their number.
func where(img *image.RGBA, in image.Rectangle, wanted func(color.RGBA) bool) (box image.Rectangle, count int) {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if wanted(img.RGBAAt(x, y)) {
				box, count = box.Union(image.Rect(x, y, x+1, y+1)), count+1
			}
		}
	}
	return box, count
}

func of(c color.RGBA) func(color.RGBA) bool { return func(p color.RGBA) bool { return p == c } }

// ink is what a text leaves on white.
func ink(p color.RGBA) bool { return p != white && p.R == p.G && p.G == p.B }

// pictureAt finds a picture of one colour and checks that it is a full rectangle of the size.
func pictureAt(t *testing.T, img *image.RGBA, c color.RGBA, width, height int) image.Rectangle {
	t.Helper()
	box, count := where(img, img.Rect, of(c))
	if box.Dx() != width || box.Dy() != height || count != width*height {
		t.Fatalf("the picture in %v is %v with %d pixels, want %d×%d", c, box, count, width, height)
	}
	return box
}

// above and below are the places of a panel's texts.
func above(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.X, r.Min.Y-40, r.Max.X, r.Min.Y)
}
func below(r image.Rectangle) image.Rectangle {
	return image.Rect(r.Min.X, r.Max.Y, r.Max.X, r.Max.Y+40)
}

func TestComparisonPutsPanelsSideBySide(t *testing.T) {
	img := drawn(t, [][]Panel{
		{{filled(224, 224, red), "Original", "tabby 0.408"}, {filled(224, 224, green), "Grad-CAM++", ""}},
		{{filled(224, 224, blue), "", "tabby 0.408"}},
	}, "")
	r := pictureAt(t, img, red, 300, 300)
	g := pictureAt(t, img, green, 300, 300)
	b := pictureAt(t, img, blue, 300, 300)
	if r.Min.Y != g.Min.Y || g.Min.X <= r.Max.X || b.Min.X != r.Min.X || b.Min.Y <= r.Max.Y {
		t.Errorf("the pictures are at %v, %v and below %v", r, g, b)
	}
	for what, c := range map[string]struct {
		in      image.Rectangle
		present bool
	}{
		"first title": {above(r), true}, "second title": {above(g), true}, "third title": {above(b).Intersect(image.Rect(0, r.Max.Y+40, 999, 999)), false},
		"first subtitle": {below(r), true}, "second subtitle": {below(g), false}, "third subtitle": {below(b), true},
	} {
		box, count := where(img, c.in, ink)
		if (count > 50) != c.present {
			t.Errorf("%s: %d pixels of ink in %v", what, count, c.in)
		}
		if off := (box.Min.X+box.Max.X)/2 - (c.in.Min.X+c.in.Max.X)/2; c.present && (off < -2 || off > 2) {
			t.Errorf("%s is %d pixels off the middle", what, off)
		}
	}
	marginIsWhite(t, img)
}

func marginIsWhite(t *testing.T, img *image.RGBA) {
	t.Helper()
	all, _ := where(img, img.Rect, func(p color.RGBA) bool { return p != white })
	if !all.In(img.Rect.Inset(10)) {
		t.Errorf("something is drawn at %v, the figure is %v", all, img.Rect)
	}
}

func TestComparisonScalesToOneHeight(t *testing.T) {
	for _, c := range []struct {
		what                 string
		redSize, greenSize   image.Point
		redDrawn, greenDrawn image.Point
	}{
		{"small ones grow", image.Pt(96, 96), image.Pt(10, 20), image.Pt(300, 300), image.Pt(150, 300)},
		{"the highest counts", image.Pt(400, 400), image.Pt(100, 50), image.Pt(400, 400), image.Pt(800, 400)},
		{"large ones shrink", image.Pt(4000, 3000), image.Pt(224, 224), image.Pt(683, 512), image.Pt(512, 512)},
		{"the widest shrink to fit", image.Pt(5000, 1), image.Pt(300, 300), image.Pt(1200, 1), image.Pt(300, 300)},
		{"the narrowest stay visible", image.Pt(1, 100_000), image.Pt(512, 512), image.Pt(1, 512), image.Pt(512, 512)},
	} {
		t.Run(c.what, func(t *testing.T) {
			img := drawn(t, [][]Panel{{{filled(c.redSize.X, c.redSize.Y, red), "a", "b"}, {filled(c.greenSize.X, c.greenSize.Y, green), "a", "b"}}}, "")
			r := pictureAt(t, img, red, c.redDrawn.X, c.redDrawn.Y)
			g := pictureAt(t, img, green, c.greenDrawn.X, c.greenDrawn.Y)
			if d := r.Min.Y + r.Max.Y - g.Min.Y - g.Max.Y; d < -1 || d > 1 {
				t.Errorf("the pictures are at %v and %v, not on one middle line", r, g)
			}
		})
	}
}

// Any image.Image, anywhere in the plane, and transparent ones on white.
func TestComparisonTakesAnyImage(t *testing.T) {
	gray := image.NewGray(image.Rect(-5, 7, 295, 307))
	part := filled(400, 400, blue)
	draw.Draw(part, image.Rect(50, 50, 350, 350), image.NewUniform(red), image.Point{}, draw.Src)
	transparent := image.NewNRGBA(image.Rect(0, 0, 300, 300))
	img := drawn(t, [][]Panel{{{Image: gray}, {Image: part.SubImage(image.Rect(50, 50, 350, 350))}, {Image: transparent}}}, "")
	pictureAt(t, img, color.RGBA{0, 0, 0, 0xff}, 300, 300)
	pictureAt(t, img, red, 300, 300)
	if _, count := where(img, img.Rect, of(white)); count < img.Rect.Dx()*img.Rect.Dy()-2*300*300 {
		t.Error("a transparent picture is not white")
	}
}

func TestComparisonHasATitle(t *testing.T) {
	rows := [][]Panel{{{Image: filled(300, 300, red)}}}
	without, with := drawn(t, rows, " "), drawn(t, rows, "VGG16")
	grown := with.Rect.Dy() - without.Rect.Dy()
	if _, count := where(with, image.Rect(0, 0, with.Rect.Dx(), with.Rect.Dy()-without.Rect.Dy()), ink); grown < 20 || count < 50 {
		t.Errorf("a title takes %d pixels of height and %d of ink", grown, count)
	}
	long := drawn(t, rows, strings.Repeat("a title without an end ", 30))
	if long.Rect.Dx() != with.Rect.Dx() || long.Rect.Dy() <= with.Rect.Dy() {
		t.Errorf("a long title makes %v of %v", long.Rect, with.Rect)
	}
	marginIsWhite(t, long)
}

func TestLongTextsStayInTheirColumn(t *testing.T) {
	long := strings.Repeat("Wm", 5000)
	img := drawn(t, [][]Panel{{{filled(300, 300, red), long, long}, {filled(300, 300, green), long, long}}}, "")
	r, g := pictureAt(t, img, red, 300, 300), pictureAt(t, img, green, 300, 300)
	gap := image.Rect(r.Max.X, 0, g.Min.X, img.Rect.Dy())
	if box, count := where(img, gap, func(p color.RGBA) bool { return p != white }); count > 0 {
		t.Errorf("between the columns something is drawn at %v", box)
	}
	marginIsWhite(t, img)
}

// A short title stands right above its picture, whatever its neighbour's has to say.
func TestTitlesEndAtOneHeight(t *testing.T) {
	img := drawn(t, [][]Panel{{{filled(300, 300, red), "HHH", ""}, {filled(300, 300, green), "HHH " + strings.Repeat("H", 25), ""}}}, "")
	r, g := pictureAt(t, img, red, 300, 300), pictureAt(t, img, green, 300, 300)
	short, _ := where(img, image.Rect(r.Min.X, 0, r.Max.X, r.Min.Y), ink)
	long, _ := where(img, image.Rect(g.Min.X, 0, g.Max.X, g.Min.Y), ink)
	if long.Dy() < 2*short.Dy() || short.Max.Y != long.Max.Y {
		t.Errorf("the titles are at %v and %v", short, long)
	}
}

// Figures share the fonts.
func TestManyFiguresAtOnce(t *testing.T) {
	rows := [][]Panel{{{filled(40, 40, red), "Grad-CAM++", strings.Repeat("tabby, tabby cat ", 20) + "0.408"}}}
	want := drawn(t, rows, "VGG16")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				if got, err := Comparison(rows, "VGG16"); err != nil || !bytes.Equal(got.(*image.RGBA).Pix, want.Pix) {
					t.Errorf("got another figure, %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestComparisonRefuses(t *testing.T) {
	ok := Panel{Image: filled(300, 300, red)}
	many := make([][]Panel, 1000)
	for i := range many {
		many[i] = []Panel{ok, ok}
	}
	for what, c := range map[string]struct {
		rows   [][]Panel
		reason string
		code   explaind.Code
	}{
		"nothing":           {nil, "EMPTY_FIGURE", explaind.Internal},
		"empty rows":        {[][]Panel{{}, {}}, "EMPTY_FIGURE", explaind.Internal},
		"no picture":        {[][]Panel{{ok, {Title: "Grad-CAM"}}}, "EMPTY_PICTURE", explaind.Internal},
		"an empty picture":  {[][]Panel{{ok}, {{Image: image.NewRGBA(image.Rect(0, 0, 0, 5))}}}, "EMPTY_PICTURE", explaind.Internal},
		"an endless one":    {[][]Panel{{{Image: image.White}}}, "PICTURE_TOO_LARGE", explaind.InvalidArgument},
		"too many pictures": {many, "FIGURE_TOO_LARGE", explaind.InvalidArgument},
	} {
		img, err := Comparison(c.rows, "")
		var typed *explaind.Error
		if !errors.As(err, &typed) || typed.Reason != c.reason || typed.Code != c.code || img != nil {
			t.Errorf("%s: got %v, %v; want %s", what, img, err, c.reason)
		}
	}
	if img := drawn(t, [][]Panel{{}, {ok}, {}}, ""); img.Rect != drawn(t, [][]Panel{{ok}}, "").Rect {
		t.Error("empty rows take room")
	}
}

func BenchmarkComparison(b *testing.B) {
	for name, size := range map[string]image.Point{"224x224": {224, 224}, "4000x3000": {4000, 3000}} {
		p := Panel{filled(size.X, size.Y, red), "Grad-CAM++", "Egyptian cat 0.408"}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				drawn(b, [][]Panel{{p, p, p, p}}, "")
			}
		})
	}
}
