package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// files names and writes the files of one picture.
type files struct{ folder, stem string }

// write writes all that the answer holds, and puts the paths into the line.
func (f files) write(answer *pb.ExplainResponse, line *explainLine) error {
	taken := map[string]bool{} // two layers, or two labels, may look alike in names of files
	for i, x := range answer.GetExplanations() {
		e := &line.Explanations[i]
		base := unique(f.base(e), taken)
		if picture := x.GetOverlayPng(); len(picture) > 0 {
			e.Overlay = base + ".png"
			if err := writeFile(e.Overlay, picture); err != nil {
				return err
			}
		}
		if h := x.GetHeatmap(); len(h.GetValues()) > 0 {
			e.Values = base + ".npy"
			if err := writeFile(e.Values, npy(h.GetHeight(), h.GetWidth(), h.GetValues())); err != nil {
				return err
			}
		}
	}
	if figure := answer.GetComparisonPng(); len(figure) > 0 {
		line.Figure = filepath.Join(f.folder, f.stem+".figure.png")
		return writeFile(line.Figure, figure)
	}
	return nil
}

// base is FOLDER/IMAGE.LAYER.METHOD.CLASS, the class as 282_tiger_cat or, against another,
// 282_tiger_cat_vs_281_tabby.
func (f files) base(e *explanationJSON) string {
	class := classWord(e.Target.ClassIndex, e.Target.Label)
	if e.Versus != nil {
		class += "_vs_" + classWord(*e.Versus, e.VersusLabel)
	}
	return filepath.Join(f.folder, strings.Join([]string{f.stem, fileWord(e.Layer), e.Method, class}, "."))
}

func classWord(index int32, label string) string {
	word := strconv.Itoa(int(index))
	if label := fileWord(label); label != "" {
		word += "_" + label
	}
	return word
}

// fileWord keeps letters, digits, '-' and '_' of a name and makes the rest '_': labels and layers come from models, and
// must not lead out of the folder.
func fileWord(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
}

// makeFolder makes the folder of --out, before any work is done for what could not be kept.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return fmt.Errorf("--out: the folder %s cannot be made: %w", path, plain(err))
	}
	return nil
}

func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o666); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, plain(err))
	}
	return nil
}
