// Package zoo finds the test models and the numbers that TensorFlow gave for them. The models are made by
// make_models.py, beside this file: that code takes the gradients from tf.GradientTape over the live model, so the
// exported graph has no part in the references.
package zoo

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

//go:embed version.txt
var version string

// Folder is the folder of a SavedModel; the test fails if it is not there or out of date. The models lie in .cache/zoo,
// or in the folder that the environment variable ZOO names.
func Folder(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(root(t, name), "1")
}

// root holds the model, as version 1, and its reference.
func root(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("ZOO")
	if dir == "" {
		_, file, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(file), "..", "..", ".cache", "zoo")
	}
	dir = filepath.Join(dir, name)
	made, err := os.ReadFile(filepath.Join(dir, "reference", "complete"))
	if err != nil {
		t.Fatalf("there is no test model %q: run make zoo (%v)", name, err)
	}
	if got, want := strings.TrimSpace(string(made)), strings.TrimSpace(version); got != want {
		t.Fatalf("test model %q was made by %q, the tests want %q: run make zoo", name, got, want)
	}
	return dir
}

// Reference is what TensorFlow computed for a few images.
type Reference struct {
	Images        *explaind.Tensor // [N, H, W, C] in the model's own units
	Logits        *explaind.Tensor // [N, classes]
	Probabilities *explaind.Tensor // [N, classes]
	DefaultLayer  string
	Cases         []Case
}

// Case holds the maps of one layer for one class per image.
type Case struct {
	Layer   string
	Score   explaind.Score
	Rank    int   // 1: Classes are the most probable ones; 0: they are others
	Classes []int // per image
	// Maps are raw maps [N, H, W]. The article's methods may have a second entry with "_input" behind the name: the map
	// as the article draws it, as large as the image and with 1 as its largest value.
	Maps map[string]*explaind.Tensor
}

// Target asks for the case's class of one image.
func (c *Case) Target(row int) explaind.Target {
	if c.Rank > 0 {
		return explaind.Target{Rank: c.Rank, Versus: -1}
	}
	return explaind.Target{Class: c.Classes[row], Versus: -1}
}

type array struct {
	Shape []int
	File  string
}

// Load reads the reference of a model.
func Load(t testing.TB, name string) *Reference {
	t.Helper()
	dir := filepath.Join(root(t, name), "reference")
	text, err := os.ReadFile(filepath.Join(dir, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Images, Logits, Probabilities array
		DefaultLayer                  string `json:"default_layer"`
		Cases                         []struct {
			Layer, Score string
			Rank         int
			Classes      []int
			Maps         map[string]array
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	r := &Reference{
		Images: read(t, dir, document.Images), Logits: read(t, dir, document.Logits),
		Probabilities: read(t, dir, document.Probabilities), DefaultLayer: document.DefaultLayer,
	}
	scores := map[string]explaind.Score{"logit": explaind.ScoreLogit, "probability": explaind.ScoreProbability}
	for _, c := range document.Cases {
		score, known := scores[c.Score]
		if !known || len(c.Classes) != r.Images.Rows() || len(c.Maps) == 0 {
			t.Fatalf("%s: malformed case %+v", name, c)
		}
		loaded := Case{Layer: c.Layer, Score: score, Rank: c.Rank, Classes: c.Classes, Maps: map[string]*explaind.Tensor{}}
		for method, a := range c.Maps {
			loaded.Maps[method] = read(t, dir, a)
		}
		r.Cases = append(r.Cases, loaded)
	}
	if len(r.Cases) == 0 {
		t.Fatalf("%s: the reference has no cases", name)
	}
	return r
}

// read reads raw little-endian float32.
func read(t testing.TB, dir string, a array) *explaind.Tensor {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, a.File))
	if err != nil {
		t.Fatal(err)
	}
	out := explaind.NewTensor(a.Shape...)
	if len(data) != 4*len(out.Data) {
		t.Fatalf("%s has %d bytes, its shape is %v", a.File, len(data), a.Shape)
	}
	for i := range out.Data {
		out.Data[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}
