package tfmodel_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// Behind a stopped gradient a layer cannot be explained, but the model serves, and the layers in front of it too.
func TestStoppedGradient(t *testing.T) {
	dir := copyModel(t, "module")
	edit(func(m *corepb.MetaGraphDef) {
		inBody(m, "conv2/Relu").Op = "StopGradient"
		inBody(m, "conv3/Conv2D").Input[0] = "conv2/Relu:output:0"
	})(t, dir)
	m := open(t, dir)
	var with, without []string
	for _, l := range m.Spec().Layers {
		if l.Gradients {
			with = append(with, l.Name)
		} else {
			without = append(without, l.Name)
			if !strings.Contains(l.Reason, "StopGradient") || !strings.Contains(l.Reason, "conv2/Relu") {
				t.Errorf("layer %s: %q does not name what is in the way", l.Name, l.Reason)
			}
		}
	}
	if !slices.Contains(without, "conv1") || !slices.Contains(with, "conv3") {
		t.Errorf("with gradients: %v, without: %v", with, without)
	}
	reference := zoo.Load(t, "module")
	if _, err := m.Predict(t.Context(), reference.Images); err != nil {
		t.Error(err)
	}
	_, err := m.Explain(t.Context(), &explaind.ExplainRequest{
		Images: reference.Images.Slice(0, 1), Layers: []string{"conv1"}, Targets: [][]explaind.Target{{{Rank: 1, Versus: -1}}}, Needs: explaind.NeedsGradients,
	})
	if e := explaind.AsError(err); e.Code != explaind.FailedPrecondition || e.Reason != "NO_GRADIENT" {
		t.Errorf("got %v", err)
	}
}

// Whatever happens to a cache, its model answers as before.
func TestDamagedCache(t *testing.T) {
	cache, reference := t.TempDir(), zoo.Load(t, "module")
	predict := func() *explaind.Tensor {
		m, err := tfmodel.Open(context.Background(), zoo.Folder(t, "module"), tfmodel.WithCacheDir(cache))
		must(t, err)
		defer m.Close()
		p, err := m.Predict(t.Context(), reference.Images)
		must(t, err)
		return p.Probabilities
	}
	want := predict()
	files, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	must(t, err)
	if len(files) != 4 {
		t.Fatalf("the cache holds %v", files)
	}
	for _, file := range files {
		for what, damage := range map[string]func(){
			"flipped":   func() { flip(t, 200, file) },
			"truncated": func() { truncate(t, file) },
			"emptied":   func() { must(t, os.Truncate(file, 0)) },
			"removed":   func() { remove(t, file) },
		} {
			damage()
			if got := predict(); mostDifference(got, want) != 0 {
				t.Errorf("%s %s: the probabilities differ by %g", filepath.Base(file), what, mostDifference(got, want))
			}
		}
	}
}

// A pipe has no end, and nobody may wait for one while a model loads.
func TestLabelsFromAPipe(t *testing.T) {
	dir := copyModel(t, "module")
	must(t, syscall.Mkfifo(filepath.Join(dir, "names"), 0o600))
	sidecar("labels: names")(t, dir)
	_, err := tfmodel.Open(context.Background(), dir)
	if err == nil || explaind.AsError(err).Reason != "BAD_LABELS" || !strings.Contains(err.Error(), "plain file") {
		t.Errorf("got %v", err)
	}
}
