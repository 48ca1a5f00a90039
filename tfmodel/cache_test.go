package tfmodel_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/tfmodel"
)

// Several processes compile one model into one cache at once, in which a damaged one lies already: all succeed, and one whole
// model is left.
func TestCompileAtOnce(t *testing.T) {
	cache, dir := t.TempDir(), zoo.Folder(t, "module")
	_, err := tfmodel.Compile(t.Context(), dir, tfmodel.WithCacheDir(cache))
	must(t, err)
	programs, err := filepath.Glob(filepath.Join(cache, "*", "program.json"))
	must(t, err)
	for range 5 {
		must(t, os.WriteFile(programs[0], []byte("{"), 0o600))
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if err := inChild(t.Context(), dir, cache); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		done, err := tfmodel.Compile(t.Context(), dir, tfmodel.WithCacheDir(cache))
		must(t, err)
		if !done.Found {
			t.Error("the cache does not hold the model")
		}
		left, err := os.ReadDir(cache)
		must(t, err)
		if len(left) != 1 {
			t.Errorf("the cache holds %v", left)
		}
	}
}

// What a killed process left is removed by the next that writes; what another may be writing now is not.
func TestLeftoversAreRemoved(t *testing.T) {
	cache := t.TempDir()
	for name, age := range map[string]time.Duration{".new-old": 2 * time.Hour, ".new-young": time.Minute, "other": 2 * time.Hour} {
		folder := filepath.Join(cache, name)
		makeDir(t, folder)
		write(t, "half", folder, "weights.bin")
		must(t, os.Chtimes(folder, time.Time{}, time.Now().Add(-age)))
	}
	_, err := tfmodel.Compile(t.Context(), zoo.Folder(t, "module"), tfmodel.WithCacheDir(cache))
	must(t, err)
	var left []string
	entries, err := os.ReadDir(cache)
	must(t, err)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if names := strings.Join(left, " "); len(left) != 3 || !strings.Contains(names, ".new-young") || !strings.Contains(names, "other") {
		t.Errorf("the cache holds %s", names)
	}
}

// A compiler is asked once, for what is not in the cache; what it makes is loaded, and its errors are the model's.
func TestWithCompiler(t *testing.T) {
	cache, reference := t.TempDir(), zoo.Load(t, "module")
	asked := 0
	compiler := func(ctx context.Context, dir, cacheDir string) error {
		asked++
		return inChild(ctx, dir, cacheDir)
	}
	for _, options := range [][]tfmodel.Option{
		{tfmodel.WithCompiler(compiler), tfmodel.WithCacheDir(cache), tfmodel.WithGentleLoading()},
		{tfmodel.WithCompiler(compiler), tfmodel.WithCacheDir(cache)},
		{tfmodel.WithCompiler(compiler)}, // without a cache, anew
	} {
		m, err := tfmodel.Open(t.Context(), zoo.Folder(t, "module"), options...)
		must(t, err)
		p, err := m.Predict(t.Context(), reference.Images)
		must(t, err)
		if worst := mostDifference(p.Probabilities, reference.Probabilities); worst > mostProbabilityError {
			t.Errorf("off by %g", worst)
		}
		must(t, m.Close())
	}
	if asked != 2 {
		t.Errorf("the compiler was asked %d times", asked)
	}
	idle := func(context.Context, string, string) error { return nil }
	_, err := tfmodel.Open(t.Context(), zoo.Folder(t, "module"), tfmodel.WithCompiler(idle))
	if e := explaind.AsError(err); e.Code != explaind.FailedPrecondition || e.Reason != "MODEL_CHANGED" {
		t.Errorf("got %v", err)
	}
}
