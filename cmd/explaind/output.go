package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// number is a float32 in JSON, which knows no NaN and no infinity: they become null.
type number float32

func (n number) MarshalJSON() ([]byte, error) {
	if !explaind.Finite(float32(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float32(n))
}

// modelJSON, scoreJSON and timingJSON are parts of the lines that --json prints.
type modelJSON struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

type scoreJSON struct {
	ClassIndex  int32  `json:"class_index"`
	Label       string `json:"label,omitempty"`
	Probability number `json:"probability"`
	Logit       number `json:"logit"`
}

type timingJSON struct {
	QueueUS  int64 `json:"queue_us"`
	DecodeUS int64 `json:"decode_us"`
	RunUS    int64 `json:"run_us"`
	RenderUS int64 `json:"render_us"`
	TotalUS  int64 `json:"total_us"`
}

func jsonModel(m *pb.ModelRef) modelJSON {
	return modelJSON{m.GetName(), m.GetVersion(), m.GetDigest()}
}

func jsonScore(s *pb.ClassScore) scoreJSON {
	return scoreJSON{s.GetClassIndex(), s.GetLabel(), number(s.GetProbability()), number(s.GetLogit())}
}

func jsonScores(list []*pb.ClassScore) []scoreJSON {
	out := make([]scoreJSON, len(list))
	for i, s := range list {
		out[i] = jsonScore(s)
	}
	return out
}

func jsonTiming(t *pb.Timing) timingJSON {
	return timingJSON{t.GetQueueUs(), t.GetDecodeUs(), t.GetRunUs(), t.GetRenderUs(), t.GetTotalUs()}
}

// scoreTable is one class a line: index, label and probability, aligned.
func scoreTable(scores []*pb.ClassScore) string {
	rows := make([][]string, len(scores))
	for i, s := range scores {
		index := fmt.Sprintf("%6d", s.GetClassIndex())
		rows[i] = []string{index, printable(s.GetLabel()), fmt.Sprintf("%.3f", s.GetProbability())}
	}
	return table(rows)
}

// table aligns columns, two spaces apart. Columns that are empty in every row are left out.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if widths[i] > 0 {
				line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// printable replaces what could steer a terminal: labels and messages come from models and servers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// size is a dimension, "?" where it is free.
func size(n int32) string {
	if n == 0 {
		return "?"
	}
	return strconv.Itoa(int(n))
}

// title is "tiger cat 0.408".
func (s scoreJSON) title() string {
	return fmt.Sprintf("%s %.3f", className(s.ClassIndex, s.Label), float32(s.Probability))
}

// className is "tiger cat", or "class 282" without a label, as figures have it.
func className(index int32, label string) string {
	if label == "" {
		return fmt.Sprintf("class %d", index)
	}
	return printable(label)
}
