package repository

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
)

var quiet = slog.New(slog.DiscardHandler)

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
	sources, err := Scan(dir)
	must(t, err)
	var opened []string
	r, err := New(opener(&opened), sources, quiet)
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

func TestScan(t *testing.T) {
	tests := []struct {
		name   string
		files  []string
		dir    string
		want   string // NAME:version:folder, …
		reason string
	}{
		{"many models", []string{"a/1/saved_model.pb", "b/2/saved_model.pb"}, "", "a:1:1 b:2:2", ""},
		{"latest by number, not by spelling", []string{"a/9/saved_model.pb", "a/10/saved_model.pb"}, "", "a:10:10", ""},
		{"one model with versions", []string{"m/1/saved_model.pb", "m/2/saved_model.pb"}, "m", "m:2:2", ""},
		{"a plain SavedModel", []string{"m/saved_model.pb", "m/variables/"}, "m", "m:1:m", ""},
		{"a version's own folder", []string{"m/7/saved_model.pb"}, "m/7", "m:7:7", ""},
		{"a folder of plain SavedModels", []string{"x/saved_model.pb", "y/saved_model.pb"}, "", "x:1:x y:1:y", ""},
		{"other folders and files are no versions", []string{"a/1/saved_model.pb", "a/best/saved_model.pb", "a/-3/", "a/+4/", "a/0/", "a/5", "a/explaind.yaml"}, "", "a:1:1", ""},
		{"hidden folders are no models", []string{"a/1/saved_model.pb", ".git/1/saved_model.pb", "README"}, "", "a:1:1", ""},
		{"leading zeros", []string{"a/001/saved_model.pb", "a/1/saved_model.pb"}, "", "a:1:1", ""},
		{"an empty version is reported, not passed over", []string{"a/1/saved_model.pb", "a/2/"}, "", "", "NO_SAVED_MODEL"},
		{"no version at all", []string{"a/photos/"}, "", "", "NO_VERSION"},
		{"nothing there", []string{"notes.txt"}, "", "", "NO_MODELS"},
		{"not a folder", []string{"notes.txt"}, "notes.txt", "", "NOT_A_FOLDER"},
		{"a text SavedModel", []string{"a/saved_model.pbtxt", "a/variables/x"}, "a", "", "NO_MODELS"},
		{"a Keras file among models", []string{"a/1/saved_model.pb", "b.keras"}, "", "a:1:1", ""},
		{"a Keras file given itself", []string{"a.keras"}, "a.keras", "", "NOT_A_FOLDER"},
		{"missing", nil, "nowhere", "", "FOLDER_NOT_FOUND"},
		{"a name that no client could type", []string{"my model/1/saved_model.pb"}, "my model", "", "BAD_MODEL_NAME"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			root := folders(t, tc.files...)
			sources, err := Scan(filepath.Join(root, tc.dir))
			var got []string
			for _, s := range sources {
				var v version
				if v, err = latest(s.Dir); err != nil {
					break
				}
				if err = CheckName(s.Name); err != nil {
					break
				}
				got = append(got, fmt.Sprintf("%s:%d:%s", s.Name, v.number, filepath.Base(v.dir)))
			}
			if reason(err) != tc.reason {
				t.Fatalf("error %v, want reason %q", err, tc.reason)
			}
			if err == nil && strings.Join(got, " ") != tc.want {
				t.Errorf("found %v, want %s", got, tc.want)
			}
		})
	}
}

func TestParseSource(t *testing.T) {
	dir := folders(t, "m/1/saved_model.pb")
	s, err := ParseSource("cats=" + dir + "/m")
	if err != nil || s.Name != "cats" || s.Dir != dir+"/m" {
		t.Errorf("got %+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"cats":            "BAD_MODEL_SOURCE",
		"cats=":           "BAD_MODEL_SOURCE",
		"=" + dir:         "BAD_MODEL_NAME",
		"a/b=" + dir:      "BAD_MODEL_NAME",
		"cats=/nowhere/x": "FOLDER_NOT_FOUND",
	} {
		if _, err := ParseSource(text); reason(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
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
		w, v := want[m.Name], m.Versions[0]
		if len(m.Versions) != 1 || v.Version != w.version || v.State != w.state || reason(v.Err) != w.reason {
			t.Errorf("%s: %+v, want %+v", m.Name, m.Versions, w)
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
	var sources []Source
	for _, dir := range []string{a, b} {
		found, err := Scan(dir)
		must(t, err)
		sources = append(sources, found...)
	}
	if _, err := New(nil, sources, quiet); reason(err) != "DUPLICATE_MODEL" {
		t.Errorf("got %v", err)
	}
}

func TestLoadingInOrderWhileOthersServe(t *testing.T) {
	dir := folders(t, "a/1/saved_model.pb", "b/1/saved_model.pb")
	sources, err := Scan(dir)
	must(t, err)
	openB := make(chan struct{})
	r, err := New(func(_ context.Context, dir string) (explaind.Model, error) {
		if strings.Contains(dir, "/b/") {
			<-openB
		}
		return fakemodel.New(4, "x"), nil
	}, sources, quiet)
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
	sources, err := Scan(folders(t, "a/1/saved_model.pb", "b/1/saved_model.pb"))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	opened := 0
	r, err := New(func(ctx context.Context, _ string) (explaind.Model, error) {
		opened++
		cancel()
		return nil, explaind.FromContext(ctx)
	}, sources, quiet)
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

// TestHammer acquires, runs and releases from many goroutines while versions replace each other. The model reports
// every use after Close and every Close in use.
func TestHammer(t *testing.T) {
	const workers, swaps = 8, 300
	dir := folders(t, "m/1/saved_model.pb")
	r := loaded(t, dir)
	e := r.entries["m"]
	image := explaind.NewTensor(1, 4, 4, 3)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h, err := r.Acquire("m", 0, "")
				if err != nil {
					t.Errorf("a moment without a version: %v", err)
					return
				}
				if _, err := h.Model.Predict(t.Context(), image); err != nil {
					t.Error(err)
				}
				if h.Ref.Digest != h.Model.Spec().Digest {
					t.Errorf("handle names %q, its model is %q", h.Ref.Digest, h.Model.Spec().Digest)
				}
				h.Release()
			}
		})
	}
	var models []*fakemodel.Model
	for i := range swaps {
		if i%3 == 0 {
			r.fail(e, version{number: int64(i + 2)}, explaind.Errorf(explaind.FailedPrecondition, "BROKEN", "broken"))
		}
		m := fakemodel.New(4, "swap", string(rune('a'+i%26)))
		models = append(models, m)
		r.serve(e, version{number: int64(i + 2)}, m)
	}
	close(stop)
	wg.Wait()
	must(t, r.Close(t.Context()))
	for i, m := range models {
		if !m.Closed() {
			t.Fatalf("version %d was never closed", i+2)
		}
	}
	late := fakemodel.New(4, "late")
	r.serve(e, version{number: 9999}, late)
	if !late.Closed() {
		t.Error("a model that finished loading after Close stayed open")
	}
}

// Models in other forms are recognised, wherever they lie, and the error tells how to export them.
func TestOtherForms(t *testing.T) {
	const keras = `export it as a SavedModel: keras.saving.load_model("my.%s").export("FOLDER")`
	root := folders(t, "keras/my.keras", "keras/assets/", "h5/my.h5", "models/a/my.hdf5", "models/b/2/my.keras", "text/saved_model.pbtxt", "text/variables/")
	for _, c := range []struct{ path, reason, want string }{
		{"keras", "NO_MODELS", fmt.Sprintf(keras, "keras")},
		{"keras/my.keras", "NOT_A_FOLDER", fmt.Sprintf(keras, "keras")},
		{"h5/my.h5", "NOT_A_FOLDER", fmt.Sprintf(keras, "h5")},
		{"h5", "NO_MODELS", fmt.Sprintf(keras, "h5")},
		{"text", "NO_MODELS", `tf.saved_model.load("DIR")`},
		{"text/saved_model.pbtxt", "NOT_A_FOLDER", `tf.saved_model.load("DIR")`},
	} {
		if _, err := Scan(filepath.Join(root, c.path)); reason(err) != c.reason || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %s", c.path, err, c.reason, c.want)
		}
	}
	for _, c := range []struct{ path, reason, want string }{
		{"models/a", "NO_VERSION", fmt.Sprintf(keras, "hdf5")},
		{"models/b", "NO_SAVED_MODEL", fmt.Sprintf(keras, "keras")},
	} {
		if _, err := latest(filepath.Join(root, c.path)); reason(err) != c.reason || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %s", c.path, err, c.reason, c.want)
		}
	}
}
