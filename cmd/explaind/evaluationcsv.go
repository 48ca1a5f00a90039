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
	path    string
	file    *os.File
	created bool // it was not there before
	begun   bool // the first line is written
	sanity  bool
}

var csvColumns = []string{"image", "class_index", "label", "probability", "method", "layer",
	"average_drop", "increase", "average_gain", "masked_probability", "deletion_auc", "insertion_auc", "road", "flags"}

var csvSanityColumns = []string{"rank_correlation_random_head", "rank_correlation_random_weights"}

// openCSV opens the file of --csv; "" is none. What is in it stays until the first numbers come.
func openCSV(path string, sanity bool) (*csvFile, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is a file that takes nothing
	}
	file, created, err := openUntouched(path)
	if err != nil {
		return nil, fmt.Errorf("--csv %s cannot be written: %w", path, plain(err))
	}
	return &csvFile{path: path, file: file, created: created, sanity: sanity}, nil
}

// begin empties the file and returns its first line.
func (f *csvFile) begin() ([]string, error) {
	if info, err := f.file.Stat(); err == nil && info.Mode().IsRegular() { // not a pipe
		if err := f.file.Truncate(0); err != nil {
			return nil, fmt.Errorf("%s cannot be written: %w", f.path, plain(err))
		}
	}
	f.begun = true
	if f.sanity {
		return slices.Concat(csvColumns, csvSanityColumns), nil
	}
	return csvColumns, nil
}

// write adds one line for each map of an image.
func (f *csvFile) write(p picture, scores []mapScores) error {
	if f == nil {
		return nil
	}
	var rows [][]string
	if !f.begun {
		first, err := f.begin()
		if err != nil {
			return err
		}
		rows = append(rows, first)
	}
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

// close leaves no file behind that holds nothing.
func (f *csvFile) close() {
	if f == nil {
		return
	}
	f.file.Close()
	if f.created && !f.begun {
		os.Remove(f.path)
	}
}

// csvNumber is as short as float32 allows; empty for what is no finite number.
func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 32)
}
