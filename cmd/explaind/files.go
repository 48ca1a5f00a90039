package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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

// Names of files have 255 bytes at most on common file systems. A fusion is named by all of its layers.
const (
	mostLayerBytes = 64
	mostNameBytes  = 230 // which leaves room for a number and the extension
)

// base is FOLDER/IMAGE.LAYER.METHOD.CLASS, the class as 282_tiger_cat or, against another,
// 282_tiger_cat_vs_281_tabby. Methods that look at no layer are named without it.
func (f files) base(e *explanationJSON) string {
	class := classWord(e.Target.ClassIndex, e.Target.Label)
	if e.Versus != nil {
		class += "_vs_" + classWord(*e.Versus, e.VersusLabel)
	}
	words := []string{f.stem, e.Method, class}
	if !e.ofInput {
		words = slices.Insert(words, 1, withoutMiddle(fileWord(e.Layer), mostLayerBytes))
	}
	return filepath.Join(f.folder, withoutMiddle(strings.Join(words, "."), mostNameBytes))
}

// withoutMiddle puts -- in the place of what a name has too many bytes of.
func withoutMiddle(name string, most int) string {
	if len(name) <= most {
		return name
	}
	half := (most - 2) / 2
	head, tail := half, len(name)-half
	for head > 0 && !utf8.RuneStart(name[head]) { // within a letter
		head--
	}
	for tail < len(name) && !utf8.RuneStart(name[tail]) {
		tail++
	}
	return name[:head] + "--" + name[tail:]
}

func classWord(index int32, label string) string {
	word := strconv.Itoa(int(index))
	if label := fileWord(label); label != "" {
		word += "_" + label
	}
	return word
}

// fileWord keeps letters, digits, '-', '_' and '+' of a name and makes the rest '_': labels and layers come from models,
// and must not lead out of the folder.
func fileWord(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_+", r) {
			return r
		}
		return '_'
	}, name)
}

// makeFolder makes the folder that a flag names, before any work is done for what could not be kept.
func makeFolder(flag, path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return fmt.Errorf("%s: the folder %s cannot be made: %w", flag, path, plain(err))
	}
	return nil
}

// openUntouched opens a file that is to be written later, and leaves what is in it. created tells that it was not there.
func openUntouched(path string) (file *os.File, created bool, err error) {
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if !errors.Is(err, fs.ErrExist) {
		return file, err == nil, err
	}
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	return file, false, err
}

func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o666); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, plain(err))
	}
	return nil
}
