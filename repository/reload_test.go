package repository

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
)

func TestNewVersionIsSwappedIn(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.turn()
	r.wantServing("m", 1, "one")
	r.put("m/2", "two")
	r.turn() // renamed into place: at once
	r.wantServing("m", 2, "two")
	r.wantStates("m", "1 UNLOADED, 2 READY")
	if !r.models[0].Closed() {
		t.Error("the old version is still open")
	}
	r.wantReason("MODEL_UNLOADED", "m", 1, "")
	r.wantReason("VERSION_NOT_FOUND", "m", 3, "")
}

// The old version answers those that have it, and is closed when the last of them is done.
func TestOldVersionDrains(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.turn()
	h, err := r.Acquire("m", 0, "")
	must(t, err)
	r.put("m/2", "two")
	r.turn()
	r.wantStates("m", "1 UNLOADING, 2 READY")
	r.wantReason("MODEL_UNLOADED", "m", 1, "")
	if _, err := h.Model.Predict(t.Context(), explaind.NewTensor(1, 4, 4, 3)); err != nil {
		t.Errorf("the old version: %v", err)
	}
	h.Release()
	eventually(t, "the old version is closed", func() bool { return r.states("m") == "1 UNLOADED, 2 READY" })
	if !h.Model.(*fakemodel.Model).Closed() {
		t.Error("the old version is still open")
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestHalfCopiedVersionIsWaitedFor(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.turn()
	r.write("m/2/variables/variables.index", "12")
	r.pass(time.Second)
	r.wantStates("m", "1 READY, 2 LOADING")
	r.wantReason("MODEL_LOADING", "m", 2, "")
	r.pass(3 * time.Second) // the copy stalls
	r.wantStates("m", "1 READY, 2 FAILED NO_SAVED_MODEL")
	for range 5 { // the graph grows
		r.write("m/2/saved_model.pb", strings.Repeat("x", r.clock.Second()+1))
		r.pass(time.Second)
		r.wantStates("m", "1 READY, 2 LOADING")
	}
	r.write("m/2/saved_model.pb", "two")
	r.pass(time.Second)
	if r.opens("m/2") != 0 {
		t.Error("opened before it was still")
	}
	r.pass(2 * time.Second)
	r.wantServing("m", 2, "two")
	r.wantReason("", "m", 0, "")
}

// At the start of the process a half-copied version leaves its place to the one before.
func TestStartWithHalfCopiedVersion(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.write("m/2/saved_model.pb", "tw")
	r.turn()
	r.wantServing("m", 1, "one")
	r.write("m/2/saved_model.pb", "two")
	r.pass(3 * time.Second)
	r.wantServing("m", 2, "two")
}

func TestFilesChangedInPlace(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.turn()
	for i, change := range []func(){
		func() { r.write("m/1/saved_model.pb", "one again") },
		func() { r.write("m/1/explaind.yaml", "input: {mode: tf}") },
		func() { r.write("m/1/assets/labels.txt", "a\nb") },
		func() { must(t, os.WriteFile(r.path("m/explaind.yaml"), []byte("{}"), 0o644)) }, // for all versions
		func() { r.put("m/1", "one, replaced") },
		func() { r.put("m/1", "ONE, REPLACED") }, // as long and as old: another time
	} {
		change()
		r.pass(4 * time.Second)
		if got := r.opens("m/1"); got != i+2 && i < 5 {
			t.Errorf("change %d: opened %d times", i, got)
		}
		r.wantStates("m", "1 READY")
	}
	r.wantServing("m", 1, "ONE, REPLACED")
}

// Changed files that cannot be loaded leave the version as it is in memory, and the reason beside it.
func TestFilesChangedInPlaceForTheWorse(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.turn()
	r.put("m/1", "broken")
	r.turn()
	r.wantServing("m", 1, "one")
	r.wantStates("m", "1 READY CORRUPT")
	must(t, os.Remove(r.path("m/1/saved_model.pb")))
	r.pass(40 * time.Second)
	r.wantServing("m", 1, "one")
	r.wantStates("m", "1 READY NO_SAVED_MODEL")
	if n := strings.Count(r.log.String(), "level=ERROR"); n != 2 {
		t.Errorf("two failures are logged %d times:\n%s", n, r.log)
	}
	r.put("m/1", "better")
	r.turn()
	r.wantServing("m", 1, "better")
	r.wantStates("m", "1 READY")
}

func TestBadNewestVersionTakesNothingDown(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "two", "m/3": "broken"})
	r.turn()
	r.wantServing("m", 2, "two")
	r.wantStates("m", "1 UNLOADED, 2 READY, 3 FAILED CORRUPT")
	r.put("m/4", "broken too")
	r.put("m/5", "panics")
	r.turn()
	r.wantServing("m", 2, "two")
	r.wantStates("m", "1 UNLOADED, 2 READY, 3 FAILED CORRUPT, 4 FAILED CORRUPT, 5 FAILED INTERNAL")
	r.put("m/5", "five")
	r.turn()
	r.wantServing("m", 5, "five")
	r.wantStates("m", "1 UNLOADED, 2 UNLOADED, 3 UNLOADED, 4 UNLOADED, 5 READY")
}

func TestRetriesBackOff(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "broken"})
	r.turn()
	for _, step := range []struct{ seconds, opens int }{{4, 1}, {2, 2}, {8, 2}, {2, 3}, {18, 3}, {2, 4}, {38, 4}, {2, 5}} {
		r.pass(time.Duration(step.seconds) * time.Second)
		if got := r.opens("m/2"); got != step.opens {
			t.Errorf("after %d more seconds it was tried %d times, want %d", step.seconds, got, step.opens)
		}
		r.wantServing("m", 1, "one")
	}
	if n := strings.Count(r.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("one failure is logged %d times:\n%s", n, r.log)
	}
	r.put("m/2", "broken otherwise") // at once, and the waiting begins anew
	r.turn()
	if got := r.opens("m/2"); got != 6 {
		t.Errorf("changed files were not tried at once: %d", got)
	}
	r.pass(6 * time.Second)
	if got := r.opens("m/2"); got != 7 {
		t.Errorf("the waiting did not begin anew: %d", got)
	}
	if n := strings.Count(r.log.String(), "level=ERROR"); n != 2 {
		t.Errorf("two failures are logged %d times:\n%s", n, r.log)
	}
	if text := r.log.String(); !strings.Contains(text, "serving=1") {
		t.Errorf("the log does not tell what serves:\n%s", text)
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 6: 160 * time.Second, 7: 5 * time.Minute, 1000: 5 * time.Minute} {
		low, high := time.Hour, time.Duration(0)
		for range 100 {
			got := backoff(failures)
			low, high = min(low, got), max(high, got)
		}
		if low < want*8/10 || high > want*12/10 || high-low < want/10 {
			t.Errorf("after %d failures: %v to %v, want about %v", failures, low, high, want)
		}
	}
}

func TestVanishedVersions(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "two"})
	r.turn()
	must(t, os.RemoveAll(r.path("m/2"))) // the way back to an older version
	r.turn()
	r.wantServing("m", 2, "two") // perhaps it is only being replaced
	r.pass(3 * time.Second)
	r.wantServing("m", 1, "one")
	r.wantStates("m", "1 READY")
	must(t, os.RemoveAll(r.path("m/1")))
	r.pass(time.Minute)
	r.wantServing("m", 1, "one") // the last one stays
	if !strings.Contains(r.log.String(), "the folder of a version that serves is gone") {
		t.Errorf("the log does not tell:\n%s", r.log)
	}
	r.put("m/7", "seven")
	r.pass(3 * time.Second)
	r.wantServing("m", 7, "seven")
	r.wantStates("m", "7 READY")
}

// A version that is replaced by removing and renaming is away for a moment, in which nothing happens.
func TestAwayForAMoment(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "two", "n/1": "n"})
	r.turn()
	for _, name := range []string{"m/2", "m"} {
		must(t, os.Rename(r.path(name), r.path(".away")))
		r.turn()
		r.wantServing("m", 2, "two")
		must(t, os.Rename(r.path(".away"), r.path(name)))
		r.pass(5 * time.Second)
		r.wantServing("m", 2, "two")
		r.wantStates("m", "1 UNLOADED, 2 READY")
	}
	if r.opens("m/2") != 1 {
		t.Errorf("opened %d times", r.opens("m/2"))
	}
}

func TestModelsComeAndGo(t *testing.T) {
	r := newRig(t, nil, map[string]string{"a/1": "a"})
	heard := map[string]string{}
	var mu sync.Mutex
	r.Listen(func(s explaind.ModelStatus) {
		mu.Lock()
		defer mu.Unlock()
		if heard[s.Name] = "gone"; len(s.Versions) > 0 {
			heard[s.Name] = s.Versions[len(s.Versions)-1].State.String()
		}
	})
	r.turn()
	r.put("b/3", "b")
	r.write("c/1/variables/x", "half")
	r.turn()
	r.wantServing("b", 3, "b")
	r.wantStates("c", "1 LOADING")
	h, err := r.Acquire("b", 0, "")
	must(t, err)
	must(t, os.RemoveAll(r.path("b")))
	r.pass(3 * time.Second)
	r.wantStates("b", "3 UNLOADING")
	r.wantReason("MODEL_UNLOADED", "b", 0, "")
	h.Release()
	eventually(t, "the model is gone", func() bool { return r.states("b") == "gone" })
	r.wantReason("MODEL_NOT_FOUND", "b", 0, "")
	mu.Lock()
	if heard["a"] != "READY" || heard["b"] != "gone" || heard["c"] != "FAILED" {
		t.Errorf("listeners heard %v", heard)
	}
	mu.Unlock()
	r.put("b/4", "b is back")
	r.turn()
	r.wantServing("b", 4, "b is back")
}

// What is loaded serves on when its disk is not there: no root, an empty one, one that cannot be read.
func TestUnmounted(t *testing.T) {
	for name, unmount := range map[string]func(r *rig){
		"removed":    func(r *rig) { must(r.t, os.Rename(r.root, r.root+"-away")) },
		"empty":      func(r *rig) { must(r.t, os.Rename(r.root, r.root+"-away")); must(r.t, os.Mkdir(r.root, 0o755)) },
		"files only": func(r *rig) { must(r.t, os.Rename(r.root, r.root+"-away")); r.write("NOT_MOUNTED", "") },
		"unreadable": func(r *rig) { must(r.t, os.Rename(r.root, r.root+"-away")); must(r.t, os.Symlink("models", r.root)) },
		"a file": func(r *rig) {
			must(r.t, os.Rename(r.root, r.root+"-away"))
			must(r.t, os.WriteFile(r.root, nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, map[string]string{"a/1": "a", "b/1": "b", "b/2": "b2"})
			r.turn()
			unmount(r)
			r.pass(time.Minute)
			r.wantServing("a", 1, "a")
			r.wantServing("b", 2, "b2")
			if n := strings.Count(r.log.String(), "models that are loaded go on serving without their folder"); n != 1 {
				t.Errorf("told %d times:\n%s", n, r.log)
			}
			must(t, os.RemoveAll(r.root))
			must(t, os.Rename(r.root+"-away", r.root))
			r.put("a/2", "a2")
			r.pass(3 * time.Second)
			r.wantServing("a", 2, "a2")
			r.wantServing("b", 2, "b2")
			if r.opens("b/2") != 1 || !strings.Contains(r.log.String(), "is there again") {
				t.Errorf("opened %v:\n%s", r.opened, r.log)
			}
		})
	}
}

// A root may be empty at first; then models, or the versions of one, may come into it.
func TestEmptyRoot(t *testing.T) {
	r := newRig(t, nil, nil)
	r.turn()
	if len(r.List()) != 0 || !strings.Contains(r.log.String(), "waiting for models") {
		t.Errorf("%v\n%s", r.List(), r.log)
	}
	r.wantReason("NO_MODELS", "", 0, "")
	r.put("m/1", "one")
	r.turn()
	r.wantServing("", 1, "one")

	r = newRig(t, nil, nil)
	r.put("3", "three")
	r.turn()
	r.wantServing("models", 3, "three") // the root is the model
	r.put("4", "four")
	r.turn()
	r.wantServing("models", 4, "four")
}

// A root that is a SavedModel itself is loaded anew when its files change.
func TestRootIsASavedModel(t *testing.T) {
	r := newRig(t, nil, nil)
	must(t, os.Remove(r.root))
	r.root = filepath.Dir(r.root)
	r.put("models", "one")
	r.root = filepath.Join(r.root, "models")
	r.turn()
	r.wantServing("models", 1, "one")
	r.write("saved_model.pb", "another")
	r.pass(3 * time.Second)
	r.wantServing("models", 1, "another")
}

// A model whose name another folder has is left out, and the log tells.
func TestNameComesTwice(t *testing.T) {
	other := t.TempDir()
	r := newRig(t, func(o *Options) { o.Roots = append(o.Roots, other) }, map[string]string{"m/1": "one"})
	r.turn()
	must(t, os.MkdirAll(filepath.Join(other, "m", "9"), 0o755))
	r.pass(5 * time.Second)
	r.wantServing("m", 1, "one")
	if n := strings.Count(r.log.String(), "DUPLICATE") + strings.Count(r.log.String(), "two folders are named"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log)
	}
}

// Without polling nothing is looked at again, waited for or retried.
func TestWithoutPolling(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Poll = 0 }, map[string]string{"m/1": "one", "n/1": "broken"})
	r.write("m/2/saved_model.pb", "two")
	r.Load(t.Context())
	r.wantServing("m", 2, "two")
	r.wantReason("MODEL_FAILED", "n", 0, "")
	for range 3 {
		if r.step(t.Context()) {
			t.Error("something is tried again")
		}
	}
}
