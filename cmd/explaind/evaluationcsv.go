package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// csvFile takes the numbers of each image and method as they come; nil takes nothing.
type csvFile struct {
	path   string
	file   *os.File
	sanity bool
}

var csvColumns = []string{"image", "class_index", "label", "probability", "method", "layer",
	"average_drop", "increase", "average_gain", "masked_probability", "deletion_auc", "insertion_auc", "road", "flags"}

var csvSanityColumns = []string{"rank_correlation_random_head", "rank_correlation_random_weights"}

// createCSV begins the file of --csv; "" is none.
func createCSV(path string, sanity bool) (*csvFile, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is a file that takes nothing
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--csv %s cannot be written: %w", path, plain(err))
	}
	f := &csvFile{path, file, sanity}
	columns := csvColumns
	if sanity {
		columns = slices.Concat(columns, csvSanityColumns)
	}
	return f, f.rows([][]string{columns})
}

// write adds one line for each map of an image.
func (f *csvFile) write(p picture, scores []mapScores) error {
	if f == nil {
		return nil
	}
	var rows [][]string
	for _, s := range scores {
		increase := "0"
		if s.faithfulness.Increase {
			increase = "1"
		}
		row := []string{p.path, strconv.Itoa(int(s.target.ClassIndex)), s.target.Label, csvNumber(float64(s.target.Probability)), s.method, s.layer,
			csvNumber(float64(s.faithfulness.AverageDrop)), increase, csvNumber(float64(s.faithfulness.AverageGain)),
			csvNumber(float64(s.faithfulness.MaskedProbability)), csvNumber(float64(s.faithfulness.DeletionAUC)),
			csvNumber(float64(s.faithfulness.InsertionAUC)), csvNumber(float64(s.faithfulness.ROAD)), strings.Join(s.flags, " ")}
		if f.sanity {
			row = append(row, csvNumber(s.likeness.head), csvNumber(s.likeness.all))
		}
		rows = append(rows, row)
	}
	return f.rows(rows)
}

// rows writes whole lines at once, so that what an interrupted command leaves can be read.
func (f *csvFile) rows(rows [][]string) error {
	w := csv.NewWriter(f.file)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("%s cannot be written: %w", f.path, plain(err))
	}
	return nil
}

func (f *csvFile) close() {
	if f != nil {
		f.file.Close()
	}
}

// csvNumber is as short as float32 allows; empty for what is no finite number.
func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 32)
}
