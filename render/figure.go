package render

import (
	"image"
	"image/draw"

	"github.com/explaind/explaind"
)

// The height of the pictures in a figure is that of the highest one, within these bounds, in pixels: captions need
// room, and a figure is looked at as a whole.
const (
	minPanelHeight = 300
	maxPanelHeight = 512
)

// maxFigure is the most pixels that a figure may have; they take four bytes each.
const maxFigure = 64 << 20

// The lines that the texts of a figure have at most.
const (
	headingLines  = 2
	titleLines    = 2
	subtitleLines = 3
)

// Panel is one picture of a figure, with a title above it (the method) and a subtitle below it (the class and its
// score). Long texts are wrapped, and where that is not enough lose their middle. Runes that the fonts do not have (they
// have Latin, Greek and Cyrillic) are drawn as boxes.
type Panel struct {
	Image    image.Image
	Title    string
	Subtitle string
}

// Comparison is a figure of panels on white: those of a row side by side, rows below each other, and the title, unless
// it is empty, above all. Pictures of different sizes are scaled to one height. Rows may have different lengths; empty
// ones are left out.
//
// Errors are *explaind.Error: Internal for a figure without panels or a panel without pixels, InvalidArgument for a
// figure that would have more than 64 Mi pixels or a picture that has more than 256 Mi.
func Comparison(rows [][]Panel, title string) (image.Image, error) {
	f, err := newFigure(rows, title)
	if err != nil {
		return nil, err
	}
	if f.size.X > maxFigure/f.size.Y {
		return nil, explaind.Errorf(explaind.InvalidArgument, "FIGURE_TOO_LARGE",
			"the comparison would have %d×%d pixels, which is more than %d; ask for fewer methods, layers or targets at a time", f.size.X, f.size.Y, maxFigure)
	}
	return f.draw(), nil
}

// figure is a figure laid out: all sizes are in pixels.
type figure struct {
	size    image.Point
	heading []string // its lines
	rows    []row
	columns []int // widths
	white   spacing
	text    *typography
}

// row is one row of panels. Its pictures stand on one middle line, its titles end and its subtitles begin at one height.
type row struct {
	cells     []cell
	titles    int // lines of the longest
	picture   int // height of the highest
	subtitles int // lines of the longest
}

type cell struct {
	picture         image.Image
	size            image.Point // of the picture in the figure
	title, subtitle []string
}

// spacing is the white between things.
type spacing struct {
	margin, columns, rows int
	caption               int // between a picture and its texts
}

func newFigure(rows [][]Panel, title string) (*figure, error) {
	height, err := panelHeight(rows)
	if err != nil {
		return nil, err
	}
	f := &figure{
		columns: columnWidths(rows, height),
		white:   spacing{margin: height / 16, columns: height / 20, rows: height / 14, caption: height / 50},
	}
	if f.text, err = newTypography(height); err != nil {
		return nil, err
	}
	f.size = image.Pt(2*f.white.margin-f.white.columns, 2*f.white.margin-f.white.rows)
	for _, width := range f.columns {
		f.size.X += width + f.white.columns
	}
	for _, panels := range rows {
		if len(panels) > 0 {
			r := f.newRow(panels, height)
			f.rows = append(f.rows, r)
			f.size.Y += f.rowHeight(&r) + f.white.rows
		}
	}
	f.heading = f.text.heading.set(title, f.size.X-2*f.white.margin, headingLines)
	f.size.Y += f.headingHeight()
	return f, nil
}

// panelHeight checks the panels and finds the height that their pictures get.
func panelHeight(rows [][]Panel) (int, error) {
	highest := 0
	for _, panels := range rows {
		for _, p := range panels {
			if err := checkPicture(p.Image); err != nil {
				return 0, err
			}
			highest = max(highest, p.Image.Bounds().Dy())
		}
	}
	if highest == 0 {
		return 0, explaind.Errorf(explaind.Internal, "EMPTY_FIGURE", "a comparison needs one panel at least")
	}
	return min(max(highest, minPanelHeight), maxPanelHeight), nil
}

// columnWidths are those of the widest pictures, and no less than what the texts of a narrow picture need.
func columnWidths(rows [][]Panel, height int) (widths []int) {
	for _, panels := range rows {
		for i, p := range panels {
			if i == len(widths) {
				widths = append(widths, height*2/3)
			}
			widths[i] = max(widths[i], fitted(p.Image.Bounds(), height).X)
		}
	}
	return widths
}

func (f *figure) newRow(panels []Panel, height int) (r row) {
	for i, p := range panels {
		c := cell{
			picture:  p.Image,
			size:     fitted(p.Image.Bounds(), height),
			title:    f.text.title.set(p.Title, f.columns[i], titleLines),
			subtitle: f.text.subtitle.set(p.Subtitle, f.columns[i], subtitleLines),
		}
		r.cells = append(r.cells, c)
		r.picture = max(r.picture, c.size.Y)
		r.titles = max(r.titles, len(c.title))
		r.subtitles = max(r.subtitles, len(c.subtitle))
	}
	return r
}

func (f *figure) rowHeight(r *row) int {
	return r.titles*f.text.title.line + 2*f.white.caption + r.picture + r.subtitles*f.text.subtitle.line
}

// headingHeight includes the white below it.
func (f *figure) headingHeight() int {
	if len(f.heading) == 0 {
		return 0
	}
	return len(f.heading)*f.text.heading.line + f.white.rows*3/4
}

func (f *figure) draw() *image.RGBA {
	canvas := image.NewRGBA(image.Rectangle{Max: f.size})
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	y := f.white.margin
	f.text.heading.draw(canvas, f.heading, f.size.X/2, y)
	y += f.headingHeight()
	for i := range f.rows {
		f.drawRow(canvas, &f.rows[i], y)
		y += f.rowHeight(&f.rows[i]) + f.white.rows
	}
	return canvas
}

func (f *figure) drawRow(canvas *image.RGBA, r *row, y int) {
	x := f.white.margin
	pictures := y + r.titles*f.text.title.line + f.white.caption
	subtitles := pictures + r.picture + f.white.caption
	for i, c := range r.cells {
		centre := x + f.columns[i]/2
		f.text.title.draw(canvas, c.title, centre, y+(r.titles-len(c.title))*f.text.title.line)
		corner := image.Pt(centre-c.size.X/2, pictures+(r.picture-c.size.Y)/2)
		paint(canvas, image.Rectangle{Min: corner, Max: corner.Add(c.size)}, c.picture)
		f.text.subtitle.draw(canvas, c.subtitle, centre, subtitles)
		x += f.columns[i] + f.white.columns
	}
}
