package tfmodel_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// weighed is what a model of the zoo answers, and the weights that it answers with.
type weighed struct {
	digest        string
	warnings      []string
	probabilities *explaind.Tensor
	features      *explaind.Tensor            // of the layer before the head
	head          []float32                   // the dense kernel
	kernels       map[string]*explaind.Tensor // of the convolutions, by layer
}

func weigh(t *testing.T, name string, options ...tfmodel.Option) weighed {
	t.Helper()
	m := open(t, zoo.Folder(t, name), options...)
	images := zoo.Load(t, name).Images
	w := weighed{digest: m.Spec().Digest, warnings: m.Spec().Warnings, kernels: map[string]*explaind.Tensor{}}
	ask := func(layer string, needs explaind.Needs) explaind.Evidence {
		result, err := m.Explain(t.Context(), &explaind.ExplainRequest{
			Images: images.Slice(0, 1), Layers: []string{layer}, Targets: [][]explaind.Target{{{Rank: 1, Versus: -1}}}, Needs: needs,
		})
		must(t, err)
		return result.Evidence[0]
	}
	p, err := m.Predict(t.Context(), images)
	must(t, err)
	w.probabilities = p.Probabilities
	e := ask(m.Spec().Head.PooledLayer, explaind.NeedsHead)
	w.features, w.head = e.Activations, e.HeadKernel.Data
	for _, l := range m.Spec().Layers {
		if l.Kernel {
			w.kernels[l.Name] = ask(l.Name, explaind.NeedsKernel).Kernel
		}
	}
	if len(w.kernels) < 2 {
		t.Fatalf("only the layers %v have kernels", w.kernels)
	}
	return w
}

func sorted(values []float32) []float32 { return slices.Sorted(slices.Values(values)) }

// The values of every weight are the same ones in another order, and those of the head alone if that is asked for.
func TestRandomWeights(t *testing.T) {
	for _, name := range []string{"module", "keras2", "tf1"} {
		t.Run(name, func(t *testing.T) {
			trained := weigh(t, name)
			head := weigh(t, name, tfmodel.WithRandomWeights(1, tfmodel.RandomHead))
			all := weigh(t, name, tfmodel.WithRandomWeights(1, tfmodel.RandomAll))
			for what, w := range map[string]weighed{"head": head, "all": all} {
				if mostDifference(w.probabilities, trained.probabilities) < 1e-4 {
					t.Errorf("%s: the answers are those of the trained model", what)
				}
				if slices.Equal(w.head, trained.head) || !slices.Equal(sorted(w.head), sorted(trained.head)) {
					t.Errorf("%s: the dense kernel is no other order of the same values", what)
				}
				if w.digest == trained.digest || !strings.Contains(w.digest, what) || !strings.Contains(strings.Join(w.warnings, " "), "random order") {
					t.Errorf("%s: the description does not tell: digest %s, warnings %v", what, w.digest, w.warnings)
				}
			}
			if mostDifference(head.features, trained.features) != 0 {
				t.Error("the features in front of the head have changed with it")
			}
			if !slices.Equal(head.head, all.head) {
				t.Error("the order of a weight depends on which others are put in random order")
			}
			for layer, kernel := range trained.kernels {
				if mostDifference(head.kernels[layer], kernel) != 0 {
					t.Errorf("%s was changed with the head", layer)
				}
				if got := all.kernels[layer]; mostDifference(got, kernel) == 0 || !slices.Equal(sorted(got.Data), sorted(kernel.Data)) {
					t.Errorf("the kernel of %s is no other order of the same values", layer)
				}
			}
		})
	}
}

func TestRandomWeightsFollowTheSeed(t *testing.T) {
	answer := func(seed uint64) *explaind.Tensor {
		return weigh(t, "module", tfmodel.WithRandomWeights(seed, tfmodel.RandomAll)).probabilities
	}
	first := answer(1)
	if mostDifference(answer(1), first) != 0 {
		t.Error("one seed gives two models")
	}
	if mostDifference(answer(2), first) < 1e-4 {
		t.Error("two seeds give one model")
	}
}

// A cache that holds the trained model still does afterwards, and one that holds nothing stays empty.
func TestRandomWeightsLeaveTheCacheAlone(t *testing.T) {
	cache := t.TempDir()
	open(t, zoo.Folder(t, "module"), tfmodel.WithRandomWeights(1, tfmodel.RandomAll), tfmodel.WithCacheDir(cache))
	if files, err := os.ReadDir(cache); err != nil || len(files) != 0 {
		t.Fatalf("the cache holds %v, %v", files, err)
	}
	trained := weigh(t, "module", tfmodel.WithCacheDir(cache))
	before := contents(t, cache)
	for _, which := range []tfmodel.RandomWeights{tfmodel.RandomHead, tfmodel.RandomAll} {
		random := weigh(t, "module", tfmodel.WithRandomWeights(1, which), tfmodel.WithCacheDir(cache))
		if mostDifference(random.probabilities, trained.probabilities) < 1e-4 {
			t.Errorf("%s: the model came from the cache", which)
		}
	}
	if after := contents(t, cache); !slices.Equal(before, after) {
		t.Error("the cache has changed")
	}
	if again := weigh(t, "module", tfmodel.WithCacheDir(cache)); mostDifference(again.probabilities, trained.probabilities) != 0 {
		t.Error("the trained model answers otherwise afterwards")
	}
}

// contents are the files below a folder, with what is in them.
func contents(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		list = append(list, path+"\n"+string(data))
		return err
	}))
	return list
}
