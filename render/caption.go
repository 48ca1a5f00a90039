package render

import (
	"image"
	"image/color"
	"image/draw"
	"sort"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/explaind/explaind"
)

// maxBytes is how much of a text is looked at: labels come from model folders, and no caption has room for more.
const maxBytes = 600

var fonts = sync.OnceValues(func() (f struct{ regular, medium *opentype.Font }, err error) {
	if f.regular, err = opentype.Parse(goregular.TTF); err != nil {
		return f, err
	}
	f.medium, err = opentype.Parse(gomedium.TTF)
	return f, err
})

// typeface is one font at one size, for one figure: a font.Face has working memory and serves one goroutine.
type typeface struct {
	face   font.Face
	ascent int
	line   int // from one line to the next
	ink    *image.Uniform
}

// typography is all the type that a figure has.
type typography struct{ heading, title, subtitle *typeface }

// newTypography sets the sizes in proportion to the panels' height.
func newTypography(panelHeight int) (*typography, error) {
	f, err := fonts()
	if err != nil {
		return nil, explaind.Errorf(explaind.Internal, "FONT", "reading the figure's fonts: %w", err)
	}
	var t typography
	for _, s := range []struct {
		to    **typeface
		font  *opentype.Font
		share float64 // of the panels' height
		ink   color.Gray
	}{
		{&t.heading, f.medium, 0.066, color.Gray{0x10}},
		{&t.title, f.medium, 0.056, color.Gray{0x10}},
		{&t.subtitle, f.regular, 0.047, color.Gray{0x48}},
	} {
		face, err := opentype.NewFace(s.font, &opentype.FaceOptions{Size: s.share * float64(panelHeight), DPI: 72})
		if err != nil {
			return nil, explaind.Errorf(explaind.Internal, "FONT", "scaling the figure's fonts: %w", err)
		}
		m := face.Metrics()
		*s.to = &typeface{face: face, ascent: m.Ascent.Ceil(), line: (m.Height * 11 / 10).Ceil(), ink: image.NewUniform(s.ink)}
	}
	return &t, nil
}

// measure is the width of a line, in pixels.
func (t *typeface) measure(line string) int { return font.MeasureString(t.face, line).Ceil() }

// set breaks a text into at most most lines of the width given. A text that needs more loses its middle: a caption
// begins with what it names and ends with the score.
func (t *typeface) set(text string, width, most int) []string {
	text = clean(text)
	lines := t.wrap(text, width)
	if len(lines) <= most {
		return lines
	}
	runes := []rune(text)
	cut := func(i int) []string { return t.wrap(withoutMiddle(runes, i+1), width) }
	lines = cut(sort.Search(len(runes)-1, func(i int) bool { return len(cut(i)) <= most }))
	return lines[:min(len(lines), most)]
}

// wrap breaks a text between words, and words that are wider than a line anywhere.
func (t *typeface) wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && t.measure(line+" "+word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for line = word; t.measure(line) > width; {
			n := t.fitting(line, width)
			if n == len(line) {
				break
			}
			lines, line = append(lines, line[:n]), line[n:]
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// fitting is how many bytes of a line have room in the width, at least one rune's.
func (t *typeface) fitting(line string, width int) int {
	fit := 0
	for i, r := range line {
		next := i + utf8.RuneLen(r)
		if i > 0 && t.measure(line[:next]) > width {
			break
		}
		fit = next
	}
	return fit
}

// draw writes lines below each other, each centred, the first one's top at y.
func (t *typeface) draw(dst draw.Image, lines []string, centre, y int) {
	for i, line := range lines {
		d := font.Drawer{Dst: dst, Src: t.ink, Face: t.face}
		d.Dot = fixed.P(centre-t.measure(line)/2, y+i*t.line+t.ascent)
		d.DrawString(line)
	}
}

// clean makes one line of printable runes of any bytes, and cuts the middle out of what no caption has room for.
func clean(text string) string {
	if len(text) > maxBytes {
		text = text[:maxBytes/2] + "…" + text[len(text)-maxBytes/2:]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// withoutMiddle puts … in the place of n runes.
func withoutMiddle(runes []rune, n int) string {
	kept := len(runes) - n
	head := (kept + 1) / 2
	return strings.TrimSpace(string(runes[:head])) + "…" + strings.TrimSpace(string(runes[head+n:]))
}
