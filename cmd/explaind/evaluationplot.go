package main

import (
	"fmt"

	"github.com/explaind/explaind/render"
)

// plot draws the averages as a bar chart, a panel for each measure.
func (e *evaluation) plot(path string) error {
	names := make([]string, len(e.rows))
	for i, row := range e.rows {
		names[i] = row.method
		if row.layer != inputLayer {
			names[i] += " · " + row.layer
		}
	}
	var panels []render.BarPanel
	for _, m := range append(e.measures(), e.sanityMeasures()...) {
		panel := render.BarPanel{Title: m.title, Axis: m.axis, Digits: m.digits}
		for i, row := range e.rows {
			panel.Values = append(panel.Values, m.of(i, row))
		}
		panels = append(panels, panel)
	}
	chart, err := render.BarChart(fmt.Sprintf("%s, version %d, images: %d", e.model.GetName(), e.model.GetVersion(), e.images), names, panels)
	if err != nil {
		return err
	}
	data, err := render.PNG(chart)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}
