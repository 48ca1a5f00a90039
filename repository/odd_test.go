package repository

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

// TestOddFolders breaks version folders beside one that serves, and what serves with it. Whatever happens, a version answers at
// every look; broken files are opened again only after the time between attempts.
func TestOddFolders(t *testing.T) {
	symlink := func(r *rig, target, name string) { must(r.t, os.Symlink(target, r.path(name))) }
	mkdir := func(r *rig, name string) {
		must(r.t, os.MkdirAll(r.path(name), 0o755))
		r.age(r.path(name), time.Hour)
	}
	for name, c := range map[string]struct {
		damage  func(r *rig)
		states  string // afterwards
		content string // of the version that serves then; "one" if empty
		opens   int    // of version 2 within a minute
	}{
		"empty version": {func(r *rig) { mkdir(r, "m/2") }, "1 READY, 2 FAILED NO_SAVED_MODEL", "", 0},
		"no graph":      {func(r *rig) { r.put("m/2", ""); must(r.t, os.Remove(r.path("m/2/saved_model.pb"))) }, "1 READY, 2 FAILED NO_SAVED_MODEL", "", 0},
		"a graph as text": {func(r *rig) {
			r.put("m/2", "x")
			must(r.t, os.Rename(r.path("m/2/saved_model.pb"), r.path("m/2/saved_model.pbtxt")))
		}, "1 READY, 2 FAILED NO_SAVED_MODEL", "", 0},
		"a graph that is a folder": {func(r *rig) { mkdir(r, "m/2/saved_model.pb") }, "1 READY, 2 FAILED UNREADABLE", "", 4},
		"a graph that is a link to nothing": {func(r *rig) { mkdir(r, "m/2"); symlink(r, "gone", "m/2/saved_model.pb") },
			"1 READY, 2 FAILED NO_SAVED_MODEL", "", 0},
		"a file for a folder":  {func(r *rig) { r.write("m/2", "not a folder") }, "1 READY", "", 0},
		"a link to nothing":    {func(r *rig) { symlink(r, "gone", "m/2") }, "1 READY, 2 FAILED FOLDER_UNREADABLE", "", 0},
		"a link to itself":     {func(r *rig) { symlink(r, "2", "m/2") }, "1 READY, 2 FAILED FOLDER_UNREADABLE", "", 0},
		"a link to its parent": {func(r *rig) { symlink(r, "..", "m/2") }, "1 READY, 2 FAILED NO_SAVED_MODEL", "", 0},
		"a link to a file":     {func(r *rig) { symlink(r, "1/saved_model.pb", "m/2") }, "1 READY", "", 0},
		"a link to a version":  {func(r *rig) { symlink(r, "1", "m/2") }, "1 UNLOADED, 2 READY", "one", 1},
		"links in circles": {func(r *rig) {
			r.put("m/2", "two")
			symlink(r, "..", "m/2/a")
			symlink(r, ".", "m/2/b")
		}, "1 UNLOADED, 2 READY", "two", 1},
		"a link that is turned": {func(r *rig) {
			r.put("store/1", "aaa")
			r.put("store/2", "bbb") // as large and as old
			symlink(r, "../store/1", "m/2")
			r.turn()
			must(r.t, os.Remove(r.path("m/2")))
			symlink(r, "../store/2", "m/2")
		}, "1 UNLOADED, 2 READY", "bbb", 2},
		"damaged":             {func(r *rig) { r.put("m/2", "broken") }, "1 READY, 2 FAILED CORRUPT", "", 4},
		"opening panics":      {func(r *rig) { r.put("m/2", "panics") }, "1 READY, 2 FAILED INTERNAL", "", 4},
		"opening gives none":  {func(r *rig) { r.put("m/2", "is nil") }, "1 READY, 2 FAILED INTERNAL", "", 4},
		"another's error":     {func(r *rig) { r.put("m/2", "fails by itself") }, "1 READY, 2 FAILED INTERNAL", "", 4},
		"canceled by nobody":  {func(r *rig) { r.put("m/2", "is canceled") }, "1 READY, 2 FAILED INTERNAL", "", 4},
		"damaged, then whole": {func(r *rig) { r.put("m/2", "broken"); r.turn(); r.put("m/2", "two") }, "1 UNLOADED, 2 READY", "two", 2},
		"whole, then damaged": {func(r *rig) { r.put("m/2", "two"); r.turn(); r.put("m/2", "broken") }, "1 UNLOADED, 2 READY CORRUPT", "two", 5},
		"vanishes while loading": {func(r *rig) {
			r.put("m/2", "two")
			r.during["m/2"] = func() { must(r.t, os.RemoveAll(r.path("m/2"))) }
		}, "1 READY", "", 1},
		"replaced while loading": {func(r *rig) {
			r.put("m/2", "two")
			r.during["m/2"] = func() { delete(r.during, "m/2"); r.put("m/2", "two, replaced") }
		}, "1 UNLOADED, 2 READY", "two, replaced", 2},
		"written while loading": {func(r *rig) {
			r.put("m/2", "two")
			r.during["m/2"] = func() { r.write("m/2/variables/x", strings.Repeat("x", r.opens("m/2"))) }
		}, "1 READY, 2 FAILED CHANGED_WHILE_LOADING", "", 4},
		"gone before it settles": {func(r *rig) { r.write("m/2/saved_model.pb", "two"); r.turn(); must(r.t, os.RemoveAll(r.path("m/2"))) }, "1 READY", "", 0},
		"files of the future": {func(r *rig) { r.put("m/2", "two"); r.age(r.path("m/2"), -100*time.Hour) }, // the clock went back
			"1 UNLOADED, 2 READY", "two", 1},
		"files of 1970":          {func(r *rig) { r.put("m/2", "two"); r.age(r.path("m/2"), 500_000*time.Hour) }, "1 UNLOADED, 2 READY", "two", 1},
		"leading zeros":          {func(r *rig) { r.put("m/002", "two"); r.put("m/01", "not this one") }, "1 UNLOADED, 2 READY", "two", 0},
		"zeros beside none":      {func(r *rig) { r.put("m/2", "two"); r.put("m/0002", "not this one") }, "1 UNLOADED, 2 READY", "two", 1},
		"the largest number":     {func(r *rig) { r.put("m/9223372036854775807", "last") }, "1 UNLOADED, 9223372036854775807 READY", "last", 0},
		"too large a number":     {func(r *rig) { r.put("m/9223372036854775808", "x"); r.put("m/"+strings.Repeat("9", 200), "x") }, "1 READY", "", 0},
		"negative":               {func(r *rig) { r.put("m/-2", "x"); r.put("m/+2", "x"); r.put("m/0", "x") }, "1 READY", "", 0},
		"digits of another kind": {func(r *rig) { r.put("m/٢", "x"); r.put("m/2e0", "x"); r.put("m/0x2", "x"); r.put("m/2 ", "x") }, "1 READY", "", 0},
		"hidden":                 {func(r *rig) { r.put("m/.2", "x"); r.put("m/..2024", "x") }, "1 READY", "", 0},
		"a copy's own name":      {func(r *rig) { r.put("m/2.tmp", "x"); r.put("m/2_copying", "x") }, "1 READY", "", 0},
		"a SavedModel beside its versions": {func(r *rig) { r.write("m/saved_model.pb", "beside") }, // then the folder is version 1
			"1 READY", "beside", 0},
		"what serves is emptied": {func(r *rig) {
			must(r.t, os.RemoveAll(r.path("m/1/variables")))
			must(r.t, os.Remove(r.path("m/1/saved_model.pb")))
		},
			"1 READY NO_SAVED_MODEL", "", 0},
		"what serves becomes a file": {func(r *rig) { must(r.t, os.RemoveAll(r.path("m/1"))); r.write("m/1", "file") }, "1 READY", "", 0},
		"what serves becomes a dead link": {func(r *rig) { must(r.t, os.RemoveAll(r.path("m/1"))); symlink(r, "gone", "m/1") },
			"1 READY FOLDER_UNREADABLE", "", 0},
		"the model becomes a file":      {func(r *rig) { must(r.t, os.RemoveAll(r.path("m"))); r.write("m", "file") }, "gone", "", 0},
		"the model becomes a dead link": {func(r *rig) { must(r.t, os.RemoveAll(r.path("m"))); symlink(r, "gone", "m") }, "1 READY", "", 0},
		"the model is emptied":          {func(r *rig) { must(r.t, os.RemoveAll(r.path("m/1"))) }, "1 READY", "", 0},
		"many versions, all damaged": {func(r *rig) {
			for v := range strings.FieldsSeq("2 3 4 5 6 7 8 9") {
				r.put("m/"+v, "broken")
			}
		}, "1 READY, 2 FAILED CORRUPT, 3 FAILED CORRUPT, 4 FAILED CORRUPT, 5 FAILED CORRUPT, 6 FAILED CORRUPT, 7 FAILED CORRUPT, 8 FAILED CORRUPT, 9 FAILED CORRUPT", "", 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, map[string]string{"m/1": "one", "other/1": "other"})
			r.turn()
			c.damage(r)
			for range 60 {
				r.pass(time.Second)
				if c.states != "gone" {
					h, err := r.Acquire("m", 0, "")
					if err != nil {
						t.Fatalf("a moment without a version: %v", err)
					}
					h.Release()
				}
			}
			r.wantStates("m", c.states)
			if c.content == "" {
				c.content = "one"
			}
			if c.states != "gone" {
				h, err := r.Acquire("m", 0, "")
				must(t, err)
				if got := h.Model.Spec().Labels[0]; got != c.content {
					t.Errorf("%q serves, want %q", got, c.content)
				}
				h.Release()
			}
			if got := r.opens("m/2"); got != c.opens {
				t.Errorf("version 2 was opened %d times in a minute, want %d", got, c.opens)
			}
			r.wantServing("other", 1, "other")
		})
	}
}

// Files that never stop changing hold nobody up, and are said to.
func TestFilesThatNeverStopChanging(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	for i := range 70 {
		r.write("n/1/saved_model.pb", strings.Repeat("x", i+1))
		r.write("m/2/saved_model.pb", strings.Repeat("x", i+1))
		r.pass(time.Second)
		r.wantServing("m", 1, "one")
		if want := i >= 60; r.settled() != want {
			t.Errorf("after %d seconds settled is %v", i+1, !want)
		}
	}
	r.wantStates("m", "1 READY, 2 FAILED STILL_CHANGING")
	r.wantStates("n", "1 FAILED STILL_CHANGING")
	r.wantReason("MODEL_FAILED", "n", 0, "")
	r.pass(3 * time.Second)
	r.wantStates("m", "1 UNLOADED, 2 READY")
	r.wantStates("n", "1 READY")
}

// An opener that does not heed the end of its context leaves no open model behind.
func TestOpenReturnsAfterTheStop(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	ctx, stop := contextOf(t)
	r.during["m/1"] = stop
	r.Load(ctx)
	r.wantStates("m", "1 LOADING")
	if len(r.models) != 1 || !r.models[0].Closed() {
		t.Error("the model is open")
	}
}

// A loader that hangs keeps nobody from what is loaded, nor from unloading it.
func TestOpenHangs(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "n/1": "n"})
	r.turn()
	hanging, release := make(chan struct{}), make(chan struct{})
	r.put("m/2", "two")
	r.during["m/2"] = func() { close(hanging); <-release }
	done := make(chan struct{})
	go func() { r.turn(); close(done) }()
	<-hanging
	r.wantServing("m", 1, "one")
	r.wantStates("m", "1 READY, 2 LOADING")
	must(t, r.UnloadModel("n", 0))
	r.wantStates("n", "1 UNLOADED")
	must(t, r.UnloadModel("m", 2)) // what is being loaded
	r.wantStates("m", "1 READY, 2 UNLOADED")
	close(release)
	<-done
	r.wantStates("m", "1 READY, 2 UNLOADED")
	r.wantServing("m", 1, "one")
	if r.opens("m/2") != 1 || !r.models[2].Closed() {
		t.Errorf("opened %v", r.opened)
	}
}

// A model whose Close fails or panics is reported, and disturbs nobody.
func TestCloseGoesWrong(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	inner := r.open
	r.Repository.open = wrapClose(inner)
	r.turn()
	r.put("m/2", "two")
	r.turn()
	r.wantServing("m", 2, "two")
	if !strings.Contains(r.log.String(), "model could not be closed") || !strings.Contains(r.log.String(), "stuck") {
		t.Errorf("the log does not tell:\n%s", r.log)
	}
	r.Repository.open = inner
	r.put("m/3", "three")
	r.turn()
	r.wantServing("m", 3, "three")
}

// stuckModel panics when it is closed.
type stuckModel struct{ explaind.Model }

func (m stuckModel) Close() error {
	_ = m.Model.Close()
	panic("stuck")
}
