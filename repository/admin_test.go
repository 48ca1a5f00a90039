package repository

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

// load is LoadModel, with turns of the repository until it returns.
func (r *rig) load(name string, version int64) (explaind.ModelRef, error) {
	type outcome struct {
		ref explaind.ModelRef
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		ref, err := r.LoadModel(context.Background(), name, version)
		done <- outcome{ref, err}
	}()
	for {
		select {
		case o := <-done:
			return o.ref, o.err
		case <-r.wake:
			r.answerRequests()
			for r.step(r.t.Context()) {
			}
		}
	}
}

func TestLoadModel(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "two", "m/3": "broken", "n/1": "n"})
	r.turn()
	ref, err := r.load("m", 1) // that the policy leaves out
	if err != nil || ref.Name != "m" || ref.Version != 1 || ref.Digest != "fa4eone" {
		t.Errorf("got %+v, %v", ref, err)
	}
	r.wantStates("m", "1 READY, 2 READY, 3 FAILED CORRUPT")
	r.wantServing("m", 2, "two")
	r.wantReason("", "m", 1, "")
	if ref, err = r.load("m", 2); err != nil || ref.Version != 2 || r.opens("m/2") != 1 { // serves already
		t.Errorf("got %+v, %v, opened %v", ref, err, r.opened)
	}

	_, err = r.load("m", 0) // the one that the policy wants first
	if reason(err) != "MODEL_FAILED" || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a broken version: %v", err)
	}
	if _, err = r.load("m", 3); reason(err) != "MODEL_FAILED" || r.opens("m/3") != 3 { // tried each time
		t.Errorf("a broken version: %v, opened %v", err, r.opened)
	}
	r.put("m/3", "three")
	if ref, err = r.load("m", 0); err != nil || ref.Version != 3 {
		t.Errorf("repaired: %+v, %v", ref, err)
	}
	r.wantStates("m", "1 READY, 2 UNLOADED, 3 READY") // what was asked for stays

	r.write("m/4/saved_model.pb", "four") // still warm
	if ref, err = r.load("m", 4); err != nil || ref.Version != 4 {
		t.Errorf("new: %+v, %v", ref, err)
	}
	r.put("p/1", "p") // a model that nobody has seen
	if ref, err = r.load("p", 0); err != nil || ref.Name != "p" {
		t.Errorf("new model: %+v, %v", ref, err)
	}
	must(t, os.MkdirAll(r.path("m/5"), 0o755))
	must(t, os.MkdirAll(r.path("q"), 0o755))
	for _, c := range []struct {
		name    string
		version int64
		reason  string
	}{
		{"nobody", 0, "MODEL_NOT_FOUND"}, {"../models/m", 0, "MODEL_NOT_FOUND"}, {"", 0, "MODEL_REQUIRED"}, {"m", 9, "VERSION_NOT_FOUND"},
		{"m", -1, "BAD_VERSION"}, {"m", 5, "NO_SAVED_MODEL"}, {"q", 0, "NO_VERSION"}, {"q", 1, "VERSION_NOT_FOUND"},
	} {
		if _, err := r.load(c.name, c.version); reason(err) != c.reason {
			t.Errorf("%q %d: %v, want %s", c.name, c.version, err, c.reason)
		}
	}
}

func TestUnloadModel(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "m/2": "two", "n/1": "n"})
	r.turn()
	h, err := r.Acquire("m", 0, "")
	must(t, err)
	must(t, r.UnloadModel("m", 0))
	r.wantStates("m", "1 UNLOADED, 2 UNLOADING")
	r.wantReason("MODEL_UNLOADED", "m", 0, "")
	r.wantReason("MODEL_UNLOADED", "m", 2, "")
	h.Release()
	eventually(t, "it is closed", func() bool { return r.states("m") == "1 UNLOADED, 2 UNLOADED" })
	r.put("m/3", "three")
	r.put("m/2", "two, changed")
	r.pass(10 * time.Second)
	r.wantStates("m", "1 UNLOADED, 2 UNLOADED, 3 UNLOADED")
	if _, err := r.load("m", 0); err != nil {
		t.Error(err)
	}
	r.wantServing("m", 3, "three")

	// One version: the policy puts another in its place.
	must(t, r.UnloadModel("m", 3))
	r.wantReason("MODEL_LOADING", "m", 0, "")
	r.turn()
	r.wantServing("m", 2, "two, changed")
	r.wantStates("m", "1 UNLOADED, 2 READY, 3 UNLOADED")
	// Without a gap.
	if _, err := r.load("m", 1); err != nil {
		t.Error(err)
	}
	must(t, r.UnloadModel("m", 2))
	r.wantServing("m", 1, "one")
	must(t, r.UnloadModel("m", 2)) // again

	for _, c := range []struct {
		name    string
		version int64
		reason  string
	}{{"nobody", 0, "MODEL_NOT_FOUND"}, {"m", 9, "VERSION_NOT_FOUND"}, {"m", -1, "BAD_VERSION"}, {"", 1, "MODEL_REQUIRED"}} {
		if err := r.UnloadModel(c.name, c.version); reason(err) != c.reason {
			t.Errorf("%q %d: %v, want %s", c.name, c.version, err, c.reason)
		}
	}
}

func TestLabels(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Models = []ModelConfig{{Name: "m", Labels: map[string]int64{"stable": 1, "next": 9, "bad": 3}}}
	}, map[string]string{"m/1": "one", "m/2": "two", "m/3": "broken"})
	r.wantReason("MODEL_LOADING", "m", 0, "stable") // configured, and not loaded yet
	r.turn()
	r.wantStates("m", "1 READY stable, 2 READY, 3 FAILED CORRUPT bad")
	r.wantReason("MODEL_FAILED", "m", 0, "bad")
	r.wantReason("VERSION_NOT_FOUND", "m", 0, "next")
	r.wantReason("VERSION_LABEL_NOT_FOUND", "m", 0, "stabel")
	if !strings.Contains(r.log.String(), "label=next version=9") {
		t.Errorf("the log does not warn of a label without a version:\n%s", r.log)
	}
	h, err := r.Acquire("m", 0, "stable")
	must(t, err)
	if h.Ref.Version != 1 {
		t.Errorf("stable is version %d", h.Ref.Version)
	}
	h.Release()

	must(t, r.SetVersionLabel("m", "stable", 2))
	r.wantStates("m", "1 UNLOADED, 2 READY stable, 3 FAILED CORRUPT bad") // nothing keeps version 1
	r.wantReason("", "m", 0, "stable")
	must(t, r.SetVersionLabel("m", "canary", 2))
	r.wantStates("m", "1 UNLOADED, 2 READY canary+stable, 3 FAILED CORRUPT bad")
	r.put("m/4", "four")
	r.turn()
	r.wantStates("m", "1 UNLOADED, 2 READY canary+stable, 3 FAILED CORRUPT bad, 4 READY") // labels keep their version
	must(t, r.SetVersionLabel("m", "stable", 4))
	must(t, r.SetVersionLabel("m", "canary", 0))
	must(t, r.SetVersionLabel("m", "bad", 0))
	r.wantStates("m", "1 UNLOADED, 2 UNLOADED, 3 UNLOADED, 4 READY stable")
	r.wantReason("VERSION_LABEL_NOT_FOUND", "m", 0, "canary")

	for _, c := range []struct {
		name, label string
		version     int64
		reason      string
	}{
		{"m", "x", 1, "VERSION_NOT_READY"}, {"m", "x", 3, "VERSION_NOT_READY"}, {"m", "x", 9, "VERSION_NOT_FOUND"}, {"m", "x", -1, "BAD_VERSION"},
		{"m", "", 4, "BAD_VERSION_LABEL"}, {"m", "a b", 4, "BAD_VERSION_LABEL"}, {"m", "x", 0, "VERSION_LABEL_NOT_FOUND"}, {"nobody", "x", 1, "MODEL_NOT_FOUND"},
	} {
		if err := r.SetVersionLabel(c.name, c.label, c.version); reason(err) != c.reason {
			t.Errorf("%q %q %d: %v, want %s", c.name, c.label, c.version, err, c.reason)
		}
	}
	must(t, r.UnloadModel("m", 4)) // an operator's word is above a label
	r.wantReason("MODEL_UNLOADED", "m", 0, "stable")
}

// Those who wait for a version are told how that ends, however it does.
func TestLoadModelIsBrokenOff(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one", "n/1": "n", "o/1": "o"})
	r.turn()
	wait := func(name string, version int64) chan error {
		done := make(chan error, 1)
		go func() { _, err := r.LoadModel(context.Background(), name, version); done <- err }()
		<-r.wake
		return done
	}
	r.put("m/2", "two")
	var unloaded chan error
	r.during["m/2"] = func() { must(t, r.UnloadModel("m", 2)) }
	if unloaded = wait("m", 2); true {
		r.turn()
	}
	if err := <-unloaded; reason(err) != "VERSION_UNLOADED" {
		t.Errorf("unloaded meanwhile: %v", err)
	}
	r.put("n/2", "two")
	gone := wait("n", 2)
	r.answerRequests()
	must(t, os.RemoveAll(r.path("n/2")))
	r.turn()
	if err := <-gone; reason(err) != "VERSION_NOT_FOUND" && reason(err) != "MODEL_FAILED" {
		t.Errorf("gone meanwhile: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.LoadModel(ctx, "o", 1); reason(err) != "DEADLINE_EXCEEDED" {
		t.Errorf("nobody loads: %v", err)
	}
	r.put("o/2", "two")
	stopped := wait("o", 2)
	r.answerRequests()
	waiting := wait("o", 1)
	must(t, r.Close(t.Context()))
	for _, done := range []chan error{stopped, waiting} {
		if err := <-done; reason(err) != "SERVER_DRAINING" {
			t.Errorf("stopped meanwhile: %v", err)
		}
	}
	if _, err := r.LoadModel(t.Context(), "m", 1); reason(err) != "SERVER_DRAINING" {
		t.Errorf("after the stop: %v", err)
	}
	var e *explaind.Error
	if err := r.UnloadModel("m", 1); err != nil && !errors.As(err, &e) {
		t.Errorf("after the stop: %v", err)
	}
}

// Without polling, LoadModel looks at its own model only.
func TestLoadModelWithoutPolling(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Poll = 0 }, map[string]string{"m/1": "one", "n/1": "n"})
	r.turn()
	r.put("m/2", "two")
	r.put("n/2", "two")
	if _, err := r.load("m", 0); err != nil {
		t.Error(err)
	}
	r.wantServing("m", 2, "two")
	r.wantServing("n", 1, "n")
}
