package repository

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/lockedbuffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a repository whose clock stands still unless it is moved, and which looks and loads only when it is told to. What a
// folder's saved_model.pb says is what happens when it is opened: see open.
type rig struct {
	*Repository
	t    *testing.T
	root string
	log  *lockedbuffer.Buffer

	mu     sync.Mutex
	clock  time.Time
	opened []string // MODEL/VERSION of each call
	models []*fakemodel.Model
	during map[string]func() // what happens while MODEL/VERSION is opened
}

// newRig has the models in a root, files of theirs being complete before it starts. alter may be nil.
func newRig(t *testing.T, alter func(*Options), files map[string]string) *rig {
	t.Helper()
	r := &rig{t: t, root: filepath.Join(t.TempDir(), "models"), log: &lockedbuffer.Buffer{}, clock: time.Now(), during: map[string]func(){}}
	must(t, os.MkdirAll(r.root, 0o755))
	for _, version := range slices.Sorted(maps.Keys(files)) {
		r.put(version, files[version])
	}
	o := Options{Open: r.open, Roots: []string{r.root}, Poll: time.Second, Log: slog.New(slog.NewTextHandler(r.log, nil))}
	if alter != nil {
		alter(&o)
	}
	var err error
	r.Repository, err = New(o)
	must(t, err)
	r.now = func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.clock }
	r.backoff = func(failures int) time.Duration { return 5 * time.Second << (failures - 1) }
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("closing: %v", err)
		}
		for _, m := range r.models {
			if !m.Closed() {
				t.Errorf("model %s was never closed", m.Spec().Labels[0])
			}
		}
	})
	return r
}

// open opens a model whose only label is what the file says, but for words that tell how it goes wrong.
func (r *rig) open(_ context.Context, dir string) (explaind.Model, error) {
	name := filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir)
	r.mu.Lock()
	r.opened = append(r.opened, name)
	during := r.during[name]
	r.mu.Unlock()
	content, err := os.ReadFile(filepath.Join(dir, savedModel))
	if during != nil {
		during()
	}
	if err != nil {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "UNREADABLE", "it cannot be read")
	}
	switch text := string(content); {
	case text == "panics":
		panic("a damaged graph")
	case text == "is nil":
		return nil, nil //nolint:nilnil // what a careless opener might do
	case text == "fails by itself":
		return nil, os.ErrDeadlineExceeded
	case text == "is canceled":
		return nil, context.Canceled
	case strings.HasPrefix(text, "broken"):
		return nil, explaind.Errorf(explaind.FailedPrecondition, "CORRUPT", "%s", text)
	default:
		m := fakemodel.New(4, text)
		r.mu.Lock()
		r.models = append(r.models, m)
		r.mu.Unlock()
		return m, nil
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.root, name) }

// put renames a complete folder MODEL/VERSION into place, in that of an older one if there is one.
func (r *rig) put(version, content string) {
	r.t.Helper()
	made := filepath.Join(r.t.TempDir(), "made")
	must(r.t, os.MkdirAll(filepath.Join(made, "variables"), 0o755))
	must(r.t, os.WriteFile(filepath.Join(made, savedModel), []byte(content), 0o644))
	must(r.t, os.WriteFile(filepath.Join(made, "variables", "variables.index"), []byte(content+content), 0o644))
	r.age(made, time.Hour)
	must(r.t, os.MkdirAll(filepath.Dir(r.path(version)), 0o755))
	must(r.t, os.RemoveAll(r.path(version)))
	must(r.t, os.Rename(made, r.path(version)))
}

// write writes a file as a copy does: it is new now.
func (r *rig) write(file, content string) {
	r.t.Helper()
	path := r.path(file)
	must(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(r.t, os.WriteFile(path, []byte(content), 0o644))
	r.age(filepath.Dir(path), 0)
}

// age makes a folder and all in it that old.
func (r *rig) age(dir string, old time.Duration) {
	r.t.Helper()
	at := r.clock.Add(-old)
	must(r.t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, at, at)
	}))
}

// turn looks once, and does all that can be done now.
func (r *rig) turn() {
	r.look("")
	r.answerRequests()
	for r.step(r.t.Context()) {
		r.look("")
	}
}

// pass lets time go by, looking once a second.
func (r *rig) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		r.mu.Lock()
		r.clock = r.clock.Add(min(d, time.Second))
		r.mu.Unlock()
		r.turn()
	}
}

// states are the versions of a model: "1 UNLOADED, 2 READY", with reasons behind those that have one.
func (r *rig) states(model string) string {
	r.t.Helper()
	for _, m := range r.List() {
		if m.Name != model {
			continue
		}
		var list []string
		for _, v := range m.Versions {
			text := strconv.FormatInt(v.Version, 10) + " " + v.State.String()
			if v.Err != nil {
				text += " " + explaind.AsError(v.Err).Reason
			}
			if len(v.Labels) > 0 {
				text += " " + strings.Join(v.Labels, "+")
			}
			list = append(list, text)
		}
		return strings.Join(list, ", ")
	}
	return "gone"
}

func (r *rig) wantStates(model, want string) {
	r.t.Helper()
	if got := r.states(model); got != want {
		r.t.Errorf("%s is %q, want %q", model, got, want)
	}
}

// wantServing checks which version answers by default, and what it says.
func (r *rig) wantServing(model string, version int64, content string) {
	r.t.Helper()
	h, err := r.Acquire(model, 0, "")
	if err != nil {
		r.t.Errorf("%s does not serve: %v", model, err)
		return
	}
	defer h.Release()
	if got := h.Model.Spec().Labels[0]; h.Ref.Version != version || got != content {
		r.t.Errorf("%s serves version %d, %q; want %d, %q", model, h.Ref.Version, got, version, content)
	}
	if _, err := h.Model.Predict(r.t.Context(), explaind.NewTensor(1, 4, 4, 3)); err != nil {
		r.t.Errorf("%s: %v", model, err)
	}
}

func (r *rig) wantReason(want, model string, version int64, label string) {
	r.t.Helper()
	h, err := r.Acquire(model, version, label)
	if err == nil {
		h.Release()
	}
	if reason(err) != want {
		r.t.Errorf("Acquire(%q, %d, %q): %v, want %q", model, version, label, err, want)
	}
}

// opens is how often MODEL/VERSION was opened.
func (r *rig) opens(version string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, name := range r.opened {
		if name == version {
			n++
		}
	}
	return n
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func wrapClose(open OpenFunc) OpenFunc {
	return func(ctx context.Context, dir string) (explaind.Model, error) {
		m, err := open(ctx, dir)
		return stuckModel{m}, err
	}
}
