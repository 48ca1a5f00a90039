package main

import (
	"fmt"
	"os"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/render"
)

// checkPlot refuses a chart that could not be kept, or would overwrite the numbers; "" is none.
func checkPlot(path string, numbers *csvFile) error {
	if path == "" {
		return nil
	}
	file, created, err := openUntouched(path)
	if err != nil {
		return fmt.Errorf("--plot %s cannot be written: %w", path, plain(err))
	}
	info, err := file.Stat()
	file.Close()
	if created {
		os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("--plot %s cannot be written: %w", path, plain(err))
	}
	if numbers == nil {
		return nil
	}
	if other, err := numbers.file.Stat(); err == nil && os.SameFile(info, other) {
		return fmt.Errorf("--csv %s and --plot %s are the same file; give them different names", numbers.path, path)
	}
	return nil
}

// bars names the bars, by method and layer.
func (e *evaluation) bars() []string {
	names := make([]string, len(e.rows))
	for i, row := range e.rows {
		names[i] = explaind.Method(row.method).Title()
		if row.layer != inputLayer {
			names[i] += " · " + row.layer
		}
	}
	return names
}

// plot draws the averages as a bar chart, a panel for each measure.
func (e *evaluation) plot(path string) error {
	var panels []render.BarPanel
	for _, m := range append(e.measures(), e.sanityMeasures()...) {
		panel := render.BarPanel{Title: m.title, Axis: m.axis, Digits: m.digits}
		for i, row := range e.rows {
			panel.Values = append(panel.Values, m.of(i, row))
		}
		panels = append(panels, panel)
	}
	chart, err := render.BarChart(fmt.Sprintf("%s, version %d, images: %d", e.model.GetName(), e.model.GetVersion(), e.images), e.bars(), panels)
	if err != nil {
		return err
	}
	data, err := render.PNG(chart)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}
