package tfmodel_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

func open(t *testing.T, dir string, options ...tfmodel.Option) *tfmodel.Model {
	t.Helper()
	m, err := tfmodel.Open(context.Background(), dir, options...)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

func TestSidecar(t *testing.T) {
	dir := copyModel(t, "two_outputs")
	sidecar("layer: sum\noutput: logits\nsignature: serve\nlabels: names.txt\n"+
		"input:\n  mean: [1, 2, 3]\n  std: 128\n  channels: BGR\n  resize: bicubic\n  crop: center\n  crop_fraction: 0.9\n")(t, dir)
	write(t, "ant\r\nbee\r\n cat\ndog\nemu\nfox\ngnu\n\n", dir, "names.txt")
	spec := open(t, dir).Spec()
	if spec.DefaultLayer != "sum" || spec.Head.Output != "logits" || spec.Signature != "serve" || spec.Head.Activation != explaind.Linear {
		t.Errorf("layer %q, output %q, signature %q, activation %q", spec.DefaultLayer, spec.Head.Output, spec.Signature, spec.Head.Activation)
	}
	if want := []string{"ant", "bee", "cat", "dog", "emu", "fox", "gnu"}; !slices.Equal(spec.Labels, want) {
		t.Errorf("labels %q, want %q", spec.Labels, want)
	}
	p := spec.Preprocessing
	if !slices.Equal(p.Mean, []float32{1, 2, 3}) || !slices.Equal(p.Std, []float32{128}) || !p.BGR || p.Mode != "" ||
		p.Resize != explaind.ResizeBicubic || p.Crop != explaind.CropCenter || p.CropFraction != 0.9 {
		t.Errorf("preprocessing %+v", p)
	}
}

// The file may lie in the folder above, beside the versions; that of the version wins.
func TestSidecarAbove(t *testing.T) {
	dir := copyModel(t, "module")
	sidecar("layer: conv1\nlabels: names.txt")(t, filepath.Dir(dir))
	write(t, "a\nb\nc\nd\ne\nf", filepath.Dir(dir), "names.txt")
	if spec := open(t, dir).Spec(); spec.DefaultLayer != "conv1" || len(spec.Labels) != 6 {
		t.Errorf("layer %q, labels %q", spec.DefaultLayer, spec.Labels)
	}
	sidecar("")(t, dir)
	if spec := open(t, dir).Spec(); spec.DefaultLayer != "conv3" || len(spec.Labels) != 0 {
		t.Errorf("with an empty file: layer %q, labels %q", spec.DefaultLayer, spec.Labels)
	}
}

func TestLabelsOfAssets(t *testing.T) {
	six := "a\nb\nc\nd\ne\nf\n"
	for what, c := range map[string]struct {
		files map[string]string
		want  []string
		warns string
	}{
		"labels.txt":               {map[string]string{"labels.txt": six, "old_labels.txt": "x"}, []string{"a", "b", "c", "d", "e", "f"}, ""},
		"the only file of labels":  {map[string]string{"flower_labels.csv": six}, []string{"a", "b", "c", "d", "e", "f"}, ""},
		"two files, neither first": {map[string]string{"labels_de.txt": six, "labels_en.txt": six}, nil, ""},
		"too few":                  {map[string]string{"labels.txt": "a\nb"}, nil, `"labels.txt" has 2 lines, but the model has 6 classes`},
		"nothing in the file":      {map[string]string{"labels.txt": ""}, nil, "1 lines"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := copyModel(t, "module")
			makeDir(t, dir, "assets")
			for name, content := range c.files {
				write(t, content, dir, "assets", name)
			}
			spec := open(t, dir).Spec()
			if !slices.Equal(spec.Labels, c.want) {
				t.Errorf("labels %q, want %q", spec.Labels, c.want)
			}
			if warnings := strings.Join(spec.Warnings, "\n"); (c.warns == "") != (warnings == "") || !strings.Contains(warnings, c.warns) {
				t.Errorf("warnings %q, want %q", warnings, c.warns)
			}
		})
	}
}

// One unit scores the second of two classes.
func TestLabelsOfABinaryModel(t *testing.T) {
	dir := copyModel(t, "sigmoid")
	makeDir(t, dir, "assets")
	write(t, "cat\ndog\n", dir, "assets", "labels.txt")
	if spec := open(t, dir).Spec(); !slices.Equal(spec.Labels, []string{"dog"}) {
		t.Errorf("labels %q, want the second", spec.Labels)
	}
}

// A compiled model that a crash or a full disk has left in pieces is compiled again.
func TestCache(t *testing.T) {
	dir, cache := copyModel(t, "linear"), t.TempDir()
	images := explaind.NewTensor(1, 48, 48, 3)
	for i := range images.Data {
		images.Data[i] = float32(i%7) / 7
	}
	predict := func() *explaind.Tensor {
		p, err := open(t, dir, tfmodel.WithCacheDir(cache)).Predict(context.Background(), images)
		must(t, err)
		return p.Probabilities
	}
	want := predict()
	entries, err := os.ReadDir(cache)
	must(t, err)
	if len(entries) != 1 {
		t.Fatalf("the cache holds %v", entries)
	}
	files, err := os.ReadDir(filepath.Join(cache, entries[0].Name()))
	must(t, err)
	for _, f := range files {
		for what, breakIt := range map[string]func(path string){
			"as it was": func(string) {},
			"missing":   func(path string) { remove(t, path) },
			"truncated": func(path string) { truncate(t, path) },
			"empty":     func(path string) { write(t, "", path) },
		} {
			breakIt(filepath.Join(cache, entries[0].Name(), f.Name()))
			if worst := mostDifference(predict(), want); worst > 1e-6 {
				t.Errorf("with %s %s, probabilities are off by %.2g", f.Name(), what, worst)
			}
		}
	}
}

func TestCacheFolderUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, "", file)
	_, err := tfmodel.Open(context.Background(), copyModel(t, "module"), tfmodel.WithCacheDir(file))
	if e := explaind.AsError(err); e.Reason != "CACHE_UNWRITABLE" || strings.Contains(e.Message, file) {
		t.Errorf("%s: %v", e.Reason, err)
	}
}
