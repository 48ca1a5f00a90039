package repository

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
)

// folders makes a tree of files under a temporary folder; names that end in / are folders.
func folders(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("graph"), 0o644))
	}
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// opener opens a fakemodel whose digest begins with the folder's last two names; folders below "broken" fail.
func opener(opened *[]string) OpenFunc {
	return func(_ context.Context, dir string) (explaind.Model, error) {
		*opened = append(*opened, dir)
		if strings.Contains(dir, "broken") {
			return nil, explaind.Errorf(explaind.FailedPrecondition, "BAD_SAVED_MODEL", "the variables are missing")
		}
		return fakemodel.New(4, filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), "b"), nil
	}
}

func loaded(t *testing.T, dir string) *Repository {
	t.Helper()
	var opened []string
	r, err := New(Options{Open: opener(&opened), Roots: []string{dir}})
	must(t, err)
	r.Load(t.Context())
	return r
}

func reason(err error) string {
	var e *explaind.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Reason
}

func TestBrokenModelsDoNotStopOthers(t *testing.T) {
	dir := folders(t, "broken/1/saved_model.pb", "empty/3/", "good/1/saved_model.pb", "good/2/saved_model.pb", "stray/photos/", "white space/1/saved_model.pb")
	r := loaded(t, dir)
	want := map[string]struct {
		version int64
		state   explaind.ModelState
		reason  string
	}{
		"broken":      {1, explaind.ModelFailed, "BAD_SAVED_MODEL"},
		"empty":       {3, explaind.ModelFailed, "NO_SAVED_MODEL"},
		"good":        {2, explaind.ModelReady, ""},
		"stray":       {0, explaind.ModelFailed, "NO_VERSION"},
		"white space": {1, explaind.ModelFailed, "BAD_MODEL_NAME"},
	}
	list := r.List()
	if len(list) != len(want) {
		t.Fatalf("%d models, want %d", len(list), len(want))
	}
	for _, m := range list {
		w, v := want[m.Name], m.Versions[len(m.Versions)-1]
		if v.Version != w.version || v.State != w.state || reason(v.Err) != w.reason {
			t.Errorf("%s: %+v, want %+v", m.Name, m.Versions, w)
		}
		if m.Name == "good" && (len(m.Versions) != 2 || m.Versions[0].State != explaind.ModelUnloaded) {
			t.Errorf("the older version is %+v", m.Versions)
		}
		if m.Ready() != (w.state == explaind.ModelReady) {
			t.Errorf("%s: Ready is %v", m.Name, m.Ready())
		}
	}
	must(t, r.Close(t.Context()))
}

func TestAcquire(t *testing.T) {
	r := loaded(t, folders(t, "broken/1/saved_model.pb", "resnet50/4/saved_model.pb", "vgg16/1/saved_model.pb"))
	tests := []struct {
		model   string
		version int64
		label   string
		code    explaind.Code
		reason  string
		field   string
		text    string
	}{
		{"", 0, "", explaind.InvalidArgument, "MODEL_REQUIRED", "model", "broken, resnet50, vgg16"},
		{"resnet5O", 0, "", explaind.NotFound, "MODEL_NOT_FOUND", "model", "nearest: resnet50"},
		{"vgg16", 2, "", explaind.NotFound, "VERSION_NOT_FOUND", "version", `model "vgg16": version "2" does not exist; nearest: 1`},
		{"vgg16", -1, "", explaind.InvalidArgument, "BAD_VERSION", "version", "-1"},
		{"vgg16", 0, "stable", explaind.NotFound, "VERSION_LABEL_NOT_FOUND", "version_label", `"stable"`},
		{"vgg16", 1, "stable", explaind.InvalidArgument, "VERSION_AND_LABEL", "version_label", "exclude each other"},
		{"broken", 0, "", explaind.FailedPrecondition, "MODEL_FAILED", "", "the variables are missing"},
		{"broken", 1, "", explaind.FailedPrecondition, "MODEL_FAILED", "", "the variables are missing"},
	}
	for _, tc := range tests {
		_, err := r.Acquire(tc.model, tc.version, tc.label)
		var e *explaind.Error
		if !errors.As(err, &e) || e.Code != tc.code || e.Reason != tc.reason || e.Field != tc.field || !strings.Contains(e.Message, tc.text) {
			t.Errorf("Acquire(%q, %d, %q) = %+v", tc.model, tc.version, tc.label, err)
		}
	}
	for _, version := range []int64{0, 4} {
		h, err := r.Acquire("resnet50", version, "")
		must(t, err)
		if h.Ref.Name != "resnet50" || h.Ref.Version != 4 || h.Ref.Digest != h.Model.Spec().Digest {
			t.Errorf("got %+v", h.Ref)
		}
		h.Release()
		h.Release() // a second Release must not count
	}
	must(t, r.Close(t.Context()))
	if _, err := r.Acquire("vgg16", 0, ""); reason(err) != "SERVER_DRAINING" {
		t.Errorf("after Close: %v", err)
	}
}

func TestOnlyModelNeedsNoName(t *testing.T) {
	r := loaded(t, folders(t, "only/1/saved_model.pb"))
	h, err := r.Acquire("", 0, "")
	must(t, err)
	if h.Ref.Name != "only" {
		t.Errorf("got %q", h.Ref.Name)
	}
	h.Release()
}

func TestTwoFoldersOfOneName(t *testing.T) {
	a, b := folders(t, "m/1/saved_model.pb"), folders(t, "m/1/saved_model.pb")
	for _, o := range []Options{
		{Roots: []string{a, b}},
		{Roots: []string{a, a}},
		{Roots: []string{a}, Models: []ModelConfig{{Name: "m", Path: a + "/m"}}},
		{Roots: []string{a, a + "/m"}},
	} {
		if _, err := New(o); reason(err) != "DUPLICATE_MODEL" {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

func TestLoadingInOrderWhileOthersServe(t *testing.T) {
	dir := folders(t, "a/1/saved_model.pb", "b/1/saved_model.pb")
	openB := make(chan struct{})
	r, err := New(Options{Roots: []string{dir}, Open: func(_ context.Context, dir string) (explaind.Model, error) {
		if strings.Contains(dir, "/b/") {
			<-openB
		}
		return fakemodel.New(4, "x"), nil
	}})
	must(t, err)
	var changes []string
	ready := make(chan struct{}, 9)
	r.Listen(func(s explaind.ModelStatus) {
		changes = append(changes, s.Name+" "+s.Versions[0].State.String())
		if s.Ready() {
			ready <- struct{}{}
		}
	})
	if _, err := r.Acquire("a", 0, ""); reason(err) != "MODEL_LOADING" || explaind.AsError(err).RetryAfter <= 0 {
		t.Errorf("before Load: %v", err)
	}
	done := make(chan struct{})
	go func() { r.Load(t.Context()); close(done) }()
	<-ready
	h, err := r.Acquire("a", 0, "")
	must(t, err)
	h.Release()
	if _, err := r.Acquire("b", 0, ""); reason(err) != "MODEL_LOADING" {
		t.Errorf("b while it loads: %v", err)
	}
	close(openB)
	<-done
	if got, want := strings.Join(changes, ", "), "a LOADING, b LOADING, a READY, b READY"; got != want {
		t.Errorf("listeners heard %s, want %s", got, want)
	}
}

func TestLoadStopsWithItsContext(t *testing.T) {
	dir := folders(t, "a/1/saved_model.pb", "b/1/saved_model.pb")
	ctx, cancel := context.WithCancel(t.Context())
	opened := 0
	r, err := New(Options{Roots: []string{dir}, Open: func(ctx context.Context, _ string) (explaind.Model, error) {
		opened++
		cancel()
		return nil, explaind.FromContext(ctx)
	}})
	must(t, err)
	r.Load(ctx)
	if opened != 1 || r.List()[0].Versions[0].State != explaind.ModelLoading {
		t.Errorf("opened %d, status %+v", opened, r.List())
	}
}

func TestCloseWaitsForUsers(t *testing.T) {
	r := loaded(t, folders(t, "m/1/saved_model.pb"))
	h, err := r.Acquire("m", 0, "")
	must(t, err)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close returned %v while the model was in use", err)
	}
	m := h.Model.(*fakemodel.Model)
	if m.Closed() {
		t.Fatal("closed in use")
	}
	h.Release()
	must(t, r.Close(t.Context()))
	if !m.Closed() {
		t.Error("not closed after its last user left")
	}
}
