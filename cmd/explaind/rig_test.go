package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/tfmodel"
)

// side is the side of the fake model's input; its feature map has half of it.
const side = 16

// rig runs command lines on models that need no TensorFlow. Every folder in models is one; those named "broken" cannot
// be opened, those named "uncached" not be kept.
type rig struct {
	t      *testing.T
	models string

	beforeOpen func(ctx context.Context, dir string)
	beforeRun  func(context.Context) error
	alter      func(*explaind.Spec)
	runtime    runtimeFlags // of the last model that was opened
	opened     []tfmodel.RandomWeights
}

func newRig(t *testing.T, models ...string) *rig {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	r := &rig{t: t, models: t.TempDir()}
	for _, name := range models {
		dir := filepath.Join(r.models, name, "1")
		must(t, os.MkdirAll(dir, 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "saved_model.pb"), []byte("graph"), 0o644))
	}
	return r
}

// model is the folder of a model.
func (r *rig) model(name string) string { return filepath.Join(r.models, name) }

func (r *rig) open(flags runtimeFlags) repository.OpenFunc {
	r.runtime = flags
	r.opened = append(r.opened, flags.random)
	return func(ctx context.Context, dir string) (explaind.Model, error) {
		if r.beforeOpen != nil {
			r.beforeOpen(ctx, dir)
		}
		if err := explaind.FromContext(ctx); err != nil {
			return nil, err
		}
		if strings.Contains(dir, "broken") {
			return nil, explaind.Errorf(explaind.FailedPrecondition, "BAD_SAVED_MODEL", "the variables are missing")
		}
		if strings.Contains(dir, "uncached") {
			return nil, explaind.Errorf(explaind.FailedPrecondition, "CACHE_UNWRITABLE", "the cache is read-only")
		}
		m := fakemodel.New(side, "red", "green", "blue")
		m.BeforeRun = r.beforeRun
		if r.alter != nil {
			r.alter(m.Spec())
		}
		if flags.random != 0 {
			return rotated{m}, nil
		}
		return m, nil
	}
}

// rotated is a model with random weights: each class is explained by the weights of the next one.
type rotated struct{ *fakemodel.Model }

func (m rotated) Explain(ctx context.Context, request *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	other := *request
	other.Targets = nil
	classes := m.Spec().Head.Classes
	for _, row := range request.Targets {
		row = slices.Clone(row)
		for i := range row {
			row[i].Class = (row[i].Class + 1) % classes
		}
		other.Targets = append(other.Targets, row)
	}
	result, err := m.Model.Explain(ctx, &other)
	if err != nil {
		return nil, err
	}
	for i := range result.Evidence {
		result.Evidence[i].Class = (result.Evidence[i].Class + classes - 1) % classes
	}
	return result, nil
}

// outcome is what a command line did.
type outcome struct {
	status         int
	stdout, stderr string
}

func (r *rig) run(args ...string) outcome {
	r.t.Helper()
	return r.runContext(context.Background(), args...)
}

func (r *rig) runContext(ctx context.Context, args ...string) outcome {
	var stdout, stderr lockedbuffer.Buffer
	a := &app{open: r.open, stdout: &stdout, stderr: &stderr}
	status := a.run(ctx, args)
	return outcome{status, stdout.String(), stderr.String()}
}

// want checks the exit status, and that standard error holds the texts.
func (o outcome) want(t *testing.T, status int, texts ...string) outcome {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d\nstdout:\n%s\nstderr:\n%s", o.status, status, o.stdout, o.stderr)
	}
	if len(texts) == 0 && status == 0 && o.stderr != "" {
		t.Errorf("standard error is not empty:\n%s", o.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("standard error lacks %q:\n%s", text, o.stderr)
		}
	}
	return o
}

// lines decodes standard output, one JSON object a line.
func lines[T any](t *testing.T, o outcome) []T {
	t.Helper()
	var out []T
	for line := range strings.SplitSeq(strings.TrimSuffix(o.stdout, "\n"), "\n") {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("line %q: %v\nstderr:\n%s", line, err, o.stderr)
		}
		out = append(out, v)
	}
	return out
}

var (
	red   = color.RGBA{R: 255, A: 255}
	green = color.RGBA{G: 255, A: 255}
	blue  = color.RGBA{B: 255, A: 255}
	black = color.RGBA{A: 255}
)

// paint writes a PNG of the model's size whose left and right halves have one colour each.
func paint(t *testing.T, path string, left, right color.RGBA) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			c := left
			if x >= side/2 {
				c = right
			}
			m.SetRGBA(x, y, c)
		}
	}
	var file bytes.Buffer
	must(t, png.Encode(&file, m))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, file.Bytes(), 0o644))
	return path
}

// decode reads a PNG file.
func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	must(t, err)
	return m
}

func write(t *testing.T, path string, data string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(data), 0o644))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
