package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// evaluation is what came of all images, one row for each method and layer.
type evaluation struct {
	model  *pb.ModelRef
	class  string // as it was asked for; "" for the most probable one of each image
	sanity *sanity
	images int
	rows   []*evaluationRow
}

// evaluationRow holds the averages of one method on one layer.
type evaluationRow struct {
	method, layer                                   string
	drop, increase, gain, deletion, insertion, road mean // of parts and probabilities, not per cent
	win, beatsFirst                                 mean
	flags                                           map[string]int
	head, all                                       mean // rank correlations
}

// mean is that of what was added; NaN if that was nothing.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum += v
		m.n++
	}
}

func (m *mean) addIf(happened bool) {
	if happened {
		m.add(1)
	} else {
		m.add(0)
	}
}

func (m *mean) value() float64 { return m.sum / float64(m.n) }

func (m *mean) percent() float64 { return 100 * m.value() }

// add counts one image in.
func (e *evaluation) add(scores []mapScores) {
	e.images++
	for i, s := range scores {
		row := e.row(s.method, s.layer)
		f := s.faithfulness
		row.drop.add(float64(f.AverageDrop))
		row.increase.addIf(f.Increase)
		row.gain.add(float64(f.AverageGain))
		row.deletion.add(float64(f.DeletionAUC))
		row.insertion.add(float64(f.InsertionAUC))
		row.road.add(float64(f.ROAD))
		row.win.addIf(smallestDrop(scores, i))
		row.beatsFirst.addIf(smaller(s, scores[0]))
		for _, flag := range s.flags {
			row.flags[flag]++
		}
		if e.sanity != nil {
			row.head.add(s.likeness.head)
			row.all.add(s.likeness.all)
		}
	}
}

// tie is the difference between two drops below which they are equal: methods that are one and the same map on some models
// differ by rounding.
const tie = 1e-4

// smaller tells whether the drop of a is smaller than that of b.
func smaller(a, b mapScores) bool {
	return a.faithfulness.AverageDrop < b.faithfulness.AverageDrop-tie
}

// smallestDrop tells whether the drop of map i is smaller than that of every other.
func smallestDrop(scores []mapScores, i int) bool {
	for j, s := range scores {
		if j != i && !smaller(scores[i], s) {
			return false
		}
	}
	return true
}

func (e *evaluation) row(method, layer string) *evaluationRow {
	for _, row := range e.rows {
		if row.method == method && row.layer == layer {
			return row
		}
	}
	row := &evaluationRow{method: method, layer: layer, flags: map[string]int{}}
	e.rows = append(e.rows, row)
	return row
}

// measure is one column of the table, one panel of the chart.
type measure struct {
	heading string // of the column
	title   string // of the panel
	axis    string
	digits  int
	of      func(i int, row *evaluationRow) float64 // NaN where it says nothing
}

// measures are those that say something about so many rows.
func (e *evaluation) measures() []measure {
	list := []measure{
		{"DROP %", "Average drop", "%, low is good", 2, func(_ int, r *evaluationRow) float64 { return r.drop.percent() }},
		{"INCREASE %", "Increase", "% of images, high is good", 2, func(_ int, r *evaluationRow) float64 { return r.increase.percent() }},
		{"GAIN %", "Average gain", "%, high is good", 2, func(_ int, r *evaluationRow) float64 { return r.gain.percent() }},
	}
	if len(e.rows) > 1 {
		list = append(list, measure{"WIN %", "Win", "% of images, high is good", 2, func(_ int, r *evaluationRow) float64 { return r.win.percent() }})
	}
	if len(e.rows) > 2 { // of two methods it is what the second wins
		list = append(list, measure{"BEATS FIRST %", "Beats the first", "% of images, high is good", 2, func(i int, r *evaluationRow) float64 {
			if i == 0 {
				return math.NaN()
			}
			return r.beatsFirst.percent()
		}})
	}
	return append(list,
		measure{"DELETION", "Deletion", "area, low is good", 3, func(_ int, r *evaluationRow) float64 { return r.deletion.value() }},
		measure{"INSERTION", "Insertion", "area, high is good", 3, func(_ int, r *evaluationRow) float64 { return r.insertion.value() }},
		measure{"ROAD", "ROAD", "high is good", 3, func(_ int, r *evaluationRow) float64 { return r.road.value() }},
	)
}

func (e *evaluation) sanityMeasures() []measure {
	if e.sanity == nil {
		return nil
	}
	return []measure{
		{"HEAD", "Random head", "rank correlation, low is good", 3, func(_ int, r *evaluationRow) float64 { return r.head.value() }},
		{"ALL", "Random weights", "rank correlation, low is good", 3, func(_ int, r *evaluationRow) float64 { return r.all.value() }},
	}
}

// baselines says what stands where pixels were taken away.
const baselines = `low is good: DROP, DELETION; high is good: the others
DROP, INCREASE, GAIN: the image times the map; DELETION: pixels set to 0 in the model's units;
INSERTION: pixels put into the blurred image; ROAD: noisy linear imputation from the neighbours
`

// table is for people.
func (e *evaluation) table() string {
	class := "the most probable class of each"
	if e.class != "" {
		class = "class " + printable(e.class)
	}
	text := fmt.Sprintf("%s, version %d; images: %d; %s\n\n", printable(e.model.GetName()), e.model.GetVersion(), e.images, class)
	return text + e.columns(e.measures(), func(r *evaluationRow) int { return r.drop.n }, func(r *evaluationRow) string { return flagCounts(r.flags) }, "FLAGS") + "\n" + baselines
}

// alike is the rank correlation above which the table points at a method.
const alike = 0.5

// sanityTable is the check with random weights, for people.
func (e *evaluation) sanityTable() string {
	return "\nrank correlation with the maps of the same model with weights in random order\n\n" +
		e.columns(e.sanityMeasures(), func(r *evaluationRow) int { return r.all.n }, (*evaluationRow).verdict, "") +
		"\nHEAD: the weights of the layer that makes the logits; ALL: all weights\n" +
		fmt.Sprintf("alike: the mean over the images (%d) is above %.1f;\nthe more alike maps stay, the less they tell of what those weights have learned\n", e.images, alike)
}

// verdict says what was seen, not what follows from it.
func (r *evaluationRow) verdict() string {
	switch {
	case r.all.value() > alike:
		return fmt.Sprintf("alike although the weights changed (%.2f)", r.all.value())
	case r.head.value() > alike:
		return fmt.Sprintf("alike although the head changed (%.2f)", r.head.value())
	}
	return ""
}

// columns is a table of measures over some images, and a text behind them.
func (e *evaluation) columns(measures []measure, images func(*evaluationRow) int, text func(*evaluationRow) string, heading string) string {
	rows := [][]string{{"METHOD", "LAYER", "IMAGES"}}
	for _, m := range measures {
		rows[0] = append(rows[0], m.heading)
	}
	behind := false
	for i, r := range e.rows {
		cells := []string{r.method, printable(r.layer), strconv.Itoa(images(r))}
		for _, m := range measures {
			cell := "–"
			if v := m.of(i, r); !math.IsNaN(v) {
				cell = strconv.FormatFloat(v, 'f', m.digits, 64)
			}
			cells = append(cells, cell)
		}
		rows = append(rows, append(cells, text(r)))
		behind = behind || text(r) != ""
	}
	if behind {
		rows[0] = append(rows[0], heading)
	}
	return table(rightAligned(rows, 2, 3+len(measures)))
}

// rightAligned fills the columns from … to with spaces on their left.
func rightAligned(rows [][]string, from, to int) [][]string {
	for column := from; column < to; column++ {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		for _, row := range rows {
			row[column] = strings.Repeat(" ", width-utf8.RuneCountInString(row[column])) + row[column]
		}
	}
	return rows
}

// flagCounts is "flat 2, non_finite 1".
func flagCounts(flags map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		list = append(list, fmt.Sprintf("%s %d", name, flags[name]))
	}
	return strings.Join(list, ", ")
}
