package render

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strconv"

	"github.com/explaind/explaind"
)

// BarPanel is one measure of a bar chart: one bar for each row.
type BarPanel struct {
	Title  string
	Axis   string    // stands below the axis
	Values []float64 // one for each row; those that are not finite have no bar
	Digits int       // decimals of the numbers beside the bars
}

// chartType is the size that the texts of a chart have: that of a figure with panels of this height.
const chartType = 340

// panelsInLine is how many panels stand side by side at most.
const panelsInLine = 4

var (
	barInk  = image.NewUniform(color.RGBA{0x35, 0x6f, 0xa3, 0xff})
	gridInk = image.NewUniform(color.Gray{0xdd})
	axisInk = image.NewUniform(color.Gray{0x60})
)

// BarChart is a figure of panels on white. Each has one horizontal bar for each row, with its number beside it; the names
// of the rows stand in front of each line of panels.
//
// Errors are *explaind.Error: Internal for a chart without panels or rows, or a panel without a value for each row;
// InvalidArgument for one that would have more than 64 Mi pixels.
func BarChart(title string, rows []string, panels []BarPanel) (image.Image, error) {
	uneven := func(p BarPanel) bool { return len(p.Values) != len(rows) }
	if len(rows) == 0 || len(panels) == 0 || slices.ContainsFunc(panels, uneven) {
		return nil, explaind.Errorf(explaind.Internal, "MALFORMED_CHART", "a bar chart needs rows, and panels that have a value for each row")
	}
	text, err := newTypography(chartType)
	if err != nil {
		return nil, err
	}
	c := newBarChart(title, rows, panels, text)
	if c.size.X > maxFigure/c.size.Y {
		return nil, explaind.Errorf(explaind.InvalidArgument, "FIGURE_TOO_LARGE", "the chart would have %d×%d pixels, which is more than %d; ask for fewer bars", c.size.X, c.size.Y, maxFigure)
	}
	return c.draw(), nil
}

// barChart is a chart laid out: all sizes are in pixels, unit is the height of a line of text.
type barChart struct {
	size           image.Point
	unit           int
	heading, names []string
	nameWidth      int
	lines          [][]BarPanel
	text           *typography
}

func newBarChart(title string, names []string, panels []BarPanel, text *typography) *barChart {
	c := &barChart{unit: text.subtitle.line, text: text}
	for _, name := range names {
		c.names = append(c.names, firstOf(text.subtitle.set(name, 18*c.unit, 1)))
		c.nameWidth = max(c.nameWidth, text.subtitle.measure(c.names[len(c.names)-1]))
	}
	lines := (len(panels) + panelsInLine - 1) / panelsInLine
	c.lines = slices.Collect(slices.Chunk(panels, (len(panels)+lines-1)/lines))
	c.size.X = 2*c.margin() + c.nameWidth + len(c.lines[0])*(c.panelWidth()+c.unit)
	c.heading = text.heading.set(title, c.size.X-2*c.margin(), headingLines)
	c.size.Y = 2*c.margin() + c.headingHeight() + len(c.lines)*c.panelHeight() + (len(c.lines)-1)*c.margin()
	return c
}

func firstOf(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

func (c *barChart) margin() int     { return 2 * c.unit }
func (c *barChart) panelWidth() int { return 17 * c.unit }

// numberWidth is the room for the numbers beside the bars.
func (c *barChart) numberWidth() int { return 3 * c.unit }

// barsHeight is the height of what lies between a panel's title and its axis.
func (c *barChart) barsHeight() int { return len(c.names)*c.unit*3/2 + c.unit/2 }

func (c *barChart) panelHeight() int {
	return c.text.title.line + c.unit/3 + c.barsHeight() + c.unit/3 + 2*c.unit
}

func (c *barChart) headingHeight() int {
	if len(c.heading) == 0 {
		return 0
	}
	return len(c.heading)*c.text.heading.line + c.unit
}

func (c *barChart) draw() *image.RGBA {
	canvas := image.NewRGBA(image.Rectangle{Max: c.size})
	draw.Draw(canvas, canvas.Rect, image.White, image.Point{}, draw.Src)
	y := c.margin()
	c.text.heading.draw(canvas, c.heading, c.size.X/2, y)
	y += c.headingHeight()
	for _, panels := range c.lines {
		x := c.margin()
		for row, name := range c.names {
			width := c.text.subtitle.measure(name)
			c.text.subtitle.draw(canvas, []string{name}, x+c.nameWidth-width/2, c.barTop(y, row))
		}
		x += c.nameWidth + c.unit
		for _, p := range panels {
			c.drawPanel(canvas, p, x, y)
			x += c.panelWidth() + c.unit
		}
		y += c.panelHeight() + c.margin()
	}
	return canvas
}

// barTop is where a row's bar begins in a line of panels at y.
func (c *barChart) barTop(y, row int) int {
	return y + c.text.title.line + c.unit/3 + c.unit/2 + row*c.unit*3/2
}

func (c *barChart) drawPanel(canvas *image.RGBA, p BarPanel, x, y int) {
	scale := newAxis(p.Values)
	top := y + c.text.title.line + c.unit/3
	plot := image.Rect(x, top, x+c.panelWidth()-c.numberWidth(), top+c.barsHeight())
	if scale.low < 0 { // numbers of negative bars stand on the left
		plot.Min.X += c.numberWidth()
	}
	at := func(v float64) int { return plot.Min.X + int(math.Round(scale.at(v)*float64(plot.Dx()))) }
	c.text.title.draw(canvas, c.text.title.set(p.Title, c.panelWidth(), 1), (plot.Min.X+plot.Max.X)/2, y)
	for i := range scale.steps() + 1 {
		v := scale.tick(i)
		ink := gridInk
		if v == 0 {
			ink = axisInk
		}
		fill(canvas, image.Rect(at(v), plot.Min.Y, at(v)+1, plot.Max.Y), ink)
		c.text.subtitle.draw(canvas, []string{strconv.FormatFloat(v, 'f', scale.digits(), 64)}, at(v), plot.Max.Y+c.unit/3)
	}
	fill(canvas, image.Rect(plot.Min.X, plot.Max.Y, plot.Max.X+1, plot.Max.Y+1), axisInk)
	c.text.subtitle.draw(canvas, c.text.subtitle.set(p.Axis, c.panelWidth(), 1), (plot.Min.X+plot.Max.X)/2, plot.Max.Y+c.unit/3+c.unit)
	for row, v := range p.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		top := c.barTop(y, row)
		fill(canvas, image.Rect(min(at(0), at(v)), top, max(at(0), at(v))+1, top+c.unit), barInk)
		number := strconv.FormatFloat(v, 'f', p.Digits, 64)
		away := c.text.subtitle.measure(number)/2 + c.unit/3
		if v < 0 {
			away = -away
		}
		c.text.subtitle.draw(canvas, []string{number}, at(v)+away, top)
	}
}

func fill(canvas *image.RGBA, r image.Rectangle, ink image.Image) {
	draw.Draw(canvas, r, ink, image.Point{}, draw.Src)
}
