package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// addVersion renames a complete version into a model's folder.
func (r *rig) addVersion(model, version string) {
	r.t.Helper()
	made := filepath.Join(r.t.TempDir(), version)
	must(r.t, os.MkdirAll(made, 0o755))
	must(r.t, os.WriteFile(filepath.Join(made, "saved_model.pb"), []byte("graph"), 0o644))
	must(r.t, os.MkdirAll(r.model(model), 0o755))
	must(r.t, os.Rename(made, filepath.Join(r.model(model), version)))
}

// A server follows its folders, and does what an operator asks for; everybody sees it.
func TestAdminister(t *testing.T) {
	r := newRig(t, "colours")
	s := r.serve("--models", r.models, "--admin")
	s.wait("msg=ready")
	models := func(pattern string) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if got = strings.Join(strings.Fields(r.run("models", "--server", s.grpc).want(t, statusGood).stdout), " "); strings.Contains(got, pattern) {
				return
			}
		}
		t.Fatalf("the models are never %q:\n%s", pattern, got)
	}
	models("colours 1 ready fa4ered")
	r.addVersion("colours", "2")
	models("colours 1 unloaded colours 2 ready fa4ered")
	r.addVersion("broken", "1")
	models("broken 1 failed the variables are missing")

	admin := func(args ...string) outcome {
		return r.run(append(append([]string{"admin"}, args...), "--server", s.grpc)...)
	}
	said := func(want string, args ...string) {
		t.Helper()
		if got := admin(args...).want(t, statusGood).stdout; got != want+"\n" {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
	said("colours version 1 serves", "load", "colours", "1")
	said("colours version 1 is stable", "label", "colours", "stable", "1")
	models("colours 1 ready stable fa4ered colours 2 ready fa4ered")
	said("colours version 2 takes no new calls", "unload", "colours", "2")
	models("colours 1 ready stable fa4ered colours 2 unloaded")
	said("colours version 2 serves", "load", "colours")
	said("colours has no version stable any more", "label", "colours", "stable", "0")
	said("colours takes no new calls", "unload", "colours")
	models("colours 1 unloaded colours 2 unloaded")
	if got := s.health("models/colours"); got != "NOT_SERVING" {
		t.Errorf("an unloaded model is %s", got)
	}
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", s.grpc, "--model", "colours").want(t, statusNotStarted, "is not loaded", "MODEL_UNLOADED")

	admin("load", "broken").want(t, statusNotStarted, "the variables are missing", "MODEL_FAILED")
	admin("label", "colours", "stable", "1").want(t, statusNotStarted, "VERSION_NOT_READY")
	admin("load", "colors").want(t, statusNotStarted, `explaind: model "colors" does not exist; nearest: colours`)
	admin("load").want(t, statusNotStarted, "wanted: load MODEL [VERSION]")
	admin("load", "colours", "two").want(t, statusNotStarted, `VERSION is a number, got "two"`)
	for _, args := range [][]string{{"admin", "load", "colours"}, {"models"}} {
		if o := r.run(append(args, "--server", "127.0.0.1:1")...).want(t, statusNotStarted, "cannot be reached"); !strings.HasSuffix(o.stderr, "; check --server\n") {
			t.Errorf("%v says %s", args, o.stderr)
		}
	}
	r.run("admin", "unload", "colours").want(t, statusNotStarted, "--server is missing")

	r = newRig(t, "colours")
	s = r.serve("--models", r.models)
	s.wait("msg=ready")
	r.run("admin", "unload", "colours", "--server", s.grpc).want(t, statusNotStarted, "start it with --admin")
}

// A folder without models is waited for; one where all are broken is not.
func TestServeWaitsForModels(t *testing.T) {
	r := newRig(t)
	s := r.serve("--models", r.models)
	s.wait(`msg="waiting for models to appear`)
	s.wait(`msg="waiting for models" grpc=`)
	if ready := s.probe("/readyz"); ready != 503 {
		t.Errorf("without models: readyz %d", ready)
	}
	r.addVersion("colours", "3")
	s.wait(`msg="model ready" model=colours version=3`)
	if ready := s.probe("/readyz"); ready != 200 {
		t.Errorf("with a model: readyz %d", ready)
	}
	r.run("serve", "--models", r.models+"-nowhere").want(t, statusNotStarted, "does not exist")
	empty := t.TempDir()
	r.run("serve", "--models", empty, "--poll-interval", "0").want(t, statusNotStarted, "holds no model")
}

// A model none of whose versions is wanted is waited for, and has not failed.
func TestServeWaitsForVersions(t *testing.T) {
	r := newRig(t, "colours")
	s := r.serve("--models", r.models, "--version-policy", "specific=5")
	s.wait(`level=WARN msg="waiting for a version that the version policy wants.*models=colours`)
	s.wait(`msg="waiting for models" grpc=`)
	if ready := s.probe("/readyz"); ready != 503 {
		t.Errorf("without a version: readyz %d", ready)
	}
	if o := r.run("config", "check", "--models", r.models, "--version-policy", "specific=5").want(t, statusGood); !strings.Contains(o.stdout, "#   colours: no version on disk is wanted, nothing will be served until one appears\n") {
		t.Errorf("config check prints\n%s", o.stdout)
	}
	r.addVersion("colours", "5")
	s.wait(`msg="model ready" model=colours version=5`)
	if ready := s.probe("/readyz"); ready != 200 {
		t.Errorf("with the version: readyz %d", ready)
	}
	if got := strings.Count(s.log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings:\n%s", got, s.log)
	}
	s.stop()
	s.ended(statusGood)

	r = newRig(t, "broken", "colours", "shapes")
	s = r.serve("--models", r.models, "--version-policy", "shapes:specific=5")
	s.wait(`msg=ready .*models=colours failed=broken\n`)
	s.wait(`level=WARN msg="waiting for a version that .* models=shapes`)
	// One that may come keeps the server up beside one that is broken.
	s = r.serve("--models", r.models, "--version-policy", "shapes:specific=5", "--version-policy", "colours:specific=5")
	s.wait(`level=WARN msg="waiting for a version that .* models="colours, shapes"`)
	s.wait(`msg="waiting for models" grpc=`)
}

func TestModelFlags(t *testing.T) {
	r := newRig(t, "colours")
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"--version-policy", "newest"}, "--version-policy newest"},
		{[]string{"--version-policy", "colours:latest=0"}, "--version-policy colours:latest=0"},
		{[]string{"--version-policy", "colours:all", "--version-policy", "colours:latest"}, "has a version policy already"},
		{[]string{"--poll-interval", "1ms"}, "--poll-interval 1ms is too short"},
		{[]string{"--poll-interval", "-1s"}, "--poll-interval -1s is too short"},
	} {
		r.run(append([]string{"serve", "--models", r.models}, c.args...)...).want(t, statusNotStarted, c.text)
	}
	r.addVersion("colours", "2")
	r.addVersion("colours", "5")
	s := r.serve("--models", r.models, "--version-policy", "latest=2", "--version-policy", "colours:specific=1,5")
	s.wait("msg=ready")
	list := lines[versionLine](t, r.run("models", "--server", s.grpc, "--json").want(t, statusGood))
	if len(list) != 3 || list[0].State != "ready" || list[1].State != "unloaded" || list[2].State != "ready" {
		t.Errorf("got %+v", list)
	}
}
