// Package fakerepo puts models that need no files into a true repository, for tests.
package fakerepo

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
)

// Repo is a repository whose models are handed to it. At the end of the test it is closed, which fails the test if any
// handle was not released.
type Repo struct {
	*repository.Repository
	t    testing.TB
	root string

	mu     sync.Mutex
	models map[string]explaind.Model // by folder
}

// New returns a repository with version 1 of each model, all of them ready. A nil model cannot be opened.
func New(t testing.TB, models map[string]explaind.Model) *Repo {
	r := Unloaded(t, models)
	r.Load(context.Background())
	return r
}

// Unloaded is New without loading: all models stay in the state LOADING until Load.
func Unloaded(t testing.TB, models map[string]explaind.Model) *Repo {
	t.Helper()
	r := &Repo{t: t, root: t.TempDir(), models: map[string]explaind.Model{}}
	var configs []repository.ModelConfig
	for name, m := range models {
		r.Put(name, 1, m)
		configs = append(configs, repository.ModelConfig{Name: name, Path: filepath.Join(r.root, name)})
	}
	var err error
	if r.Repository, err = repository.New(repository.Options{Open: r.open, Models: configs}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("closing the models: %v; a handle was not released, or a model was closed while in use", err)
		}
	})
	return r
}

// Put adds a version of a model on disk. Load serves it.
func (r *Repo) Put(name string, version int, m explaind.Model) {
	r.t.Helper()
	dir := filepath.Join(r.root, name, strconv.Itoa(version))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), []byte("graph"), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.models[dir] = m
}

func (r *Repo) open(_ context.Context, dir string) (explaind.Model, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.models[dir]; m != nil {
		return m, nil
	}
	return nil, explaind.Errorf(explaind.FailedPrecondition, "BAD_SAVED_MODEL", "the variables are missing")
}
