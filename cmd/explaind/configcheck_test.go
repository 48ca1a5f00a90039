package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/explaind/explaind/internal/testpki"
)

func TestConfigCheck(t *testing.T) {
	r := newRig(t, "colours", "shapes")
	r.beforeOpen = func(context.Context, string) { t.Error("a model was opened") }
	must(t, os.MkdirAll(filepath.Join(r.model("shapes"), "3"), 0o755))
	write(t, filepath.Join(r.model("shapes"), "3", "saved_model.pb"), "graph")
	taken, err := net.Listen("tcp", "127.0.0.1:0") // is not bound, so that it may be taken
	must(t, err)
	defer taken.Close()
	file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), `models:
  - name: shapes
    path: `+r.model("shapes")+`
    labels: {stable: 1}
  - name: colours
    path: `+r.model("colours")+`
grpc: `+taken.Addr().String()+`
`)
	t.Setenv("EXPLAIND_MAX_QUEUE", "200")
	o := r.run("config", "check", "--config", file, "--threads", "3").want(t, statusGood)
	for _, line := range []string{
		`models:                                # ` + file + `:1`,
		`  - name: shapes`,
		`    labels: {stable: 1}`,
		`grpc: ` + taken.Addr().String() + ` .*# ` + file + `:7`,
		`http: 127.0.0.1:8501                   # default`,
		`max-queue: 200                         # EXPLAIND_MAX_QUEUE`,
		`threads: 3                             # flag`,
		`#   colours, version 1: will be served`,
		`#   shapes, version 1: will be served`, // for its label
		`#   shapes, version 3: will be served`,
	} {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(o.stdout) {
			t.Errorf("standard output lacks %q:\n%s", line, o.stdout)
		}
	}
	// What it prints is a configuration: the same one.
	must(t, os.Unsetenv("EXPLAIND_MAX_QUEUE"))
	again := write(t, filepath.Join(t.TempDir(), "again.yaml"), o.stdout)
	second := r.run("config", "check", "--config", again).want(t, statusGood)
	origins := regexp.MustCompile(` +# .*`)
	if a, b := origins.ReplaceAllString(o.stdout, ""), origins.ReplaceAllString(second.stdout, ""); a != b {
		t.Errorf("read back, the configuration is\n%s\nand was\n%s", b, a)
	}
}

// Everything that is wrong is told at once, where it was set.
func TestConfigCheckTellsAll(t *testing.T) {
	r := newRig(t, "colours")
	must(t, os.MkdirAll(filepath.Join(r.models, "empty"), 0o755))
	dir := t.TempDir()
	authority := testpki.New(t, "authority")
	own, other := authority.Server("own"), authority.Server("other")
	tokens := write(t, filepath.Join(dir, "tokens.yaml"), "tokens: [{nam: a}]\n")
	file := write(t, filepath.Join(dir, "explaind.yaml"), strings.Join([]string{
		"models: " + r.models, "max-pixel: 1", "threads: many", "tls-cert: " + own.Cert, "tls-key: " + other.Key, "max-image-mb: 0", "http: 127.0.0.1:8500",
		"cache: " + own.Cert + "/cache", "",
	}, "\n"))
	t.Setenv("EXPLAIND_LOG_LEVEL", "loud")
	r.run("config", "check", "--config", file).want(t, statusNotStarted,
		"explaind: "+file+`:2: key "max-pixel" does not exist; nearest: max-pixels, `,
		"explaind: "+file+`:3: threads "many" is not a number`,
		"explaind: "+file+":5: tls-key "+other.Key+" is not the key of",
		"explaind: "+file+":6: max-image-mb must be at least 1",
		"explaind: "+file+":7: http 127.0.0.1:8500 is the port of --grpc 127.0.0.1:8500",
		"explaind: "+file+":8: cache "+own.Cert+"/cache cannot be written: not a directory",
		`explaind: EXPLAIND_LOG_LEVEL "loud" is not known`,
	)
	must(t, os.Unsetenv("EXPLAIND_LOG_LEVEL"))
	r.run("config", "check", "--models", r.models, "--tls-cert", own.Cert, "--tls-key", own.Key, "--tokens", tokens).want(t, statusNotStarted, "explaind: --tokens ", "nam")
	r.run("config", "check", "--models", r.models).want(t, statusNotStarted, "explaind: model empty: the model's folder holds neither saved_model.pb nor a folder")
	r.run("config", "check", "--models", filepath.Join(r.models, "gone"), "--model", "a="+dir+"/b").
		want(t, statusNotStarted, "--models "+r.models+"/gone: the model folder", "--model a="+dir+"/b: the model folder")
	r.run("config", "check", "--grpc", "nonsense", "--http", "too").want(t, statusNotStarted, "--grpc nonsense", "--http too", "there is no model to serve")
	r.run("config", "check", "explaind.yaml").want(t, statusNotStarted, "did you mean --config explaind.yaml?")
	r.run("config", "check", "--config", filepath.Join(dir, "gone.yaml"), "--models", r.model("colours")).want(t, statusNotStarted, "the configuration cannot be read")
	if o := r.run("config", "check", "--config", write(t, filepath.Join(dir, "m.yaml"), "models: {a: b}\n")); strings.Contains(o.stderr, "no model to serve") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("one mistake is told as several:\n%s", o.stderr)
	}
}

func TestConfigCheckWarns(t *testing.T) {
	r := newRig(t, "colours")
	t.Setenv("EXPLAIND_THREDS", "1")
	r.run("config", "check", "--models", r.models, "--version-policy", "shapes:all").want(t, statusGood,
		"warning: EXPLAIND_THREDS is no setting", "model=shapes")
	// Models may come.
	if o := r.run("config", "check", "--models", t.TempDir()); o.status != statusGood || !strings.Contains(o.stdout, "# No models are there yet.") {
		t.Errorf("an empty folder: %+v", o)
	}
}

func TestConfigCheckMasksPasswords(t *testing.T) {
	for text, want := range map[string]string{
		"https://someone:secret@host:4317/path": "https://someone:xxxxx@host:4317/path",
		"https://host:4317":                     "https://host:4317",
		"/srv/models":                           "/srv/models",
		"a@b:c":                                 "a@b:c",
		"%":                                     "%",
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}

func TestSamePort(t *testing.T) {
	for _, c := range []struct {
		rpc, web string
		same     bool
	}{
		{"127.0.0.1:8500", "127.0.0.1:8501", false},
		{"127.0.0.1:8500", "127.0.0.1:8500", true},
		{"127.0.0.1:8500", "127.0.0.2:8500", false},
		{"127.0.0.1:8500", ":8500", true},
		{"0.0.0.0:8500", "127.0.0.1:8500", true},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"127.0.0.1:8500", "", false},
		{"unix:/run/explaind.sock", "127.0.0.1:8500", false},
	} {
		if got := samePort(c.rpc, c.web) != nil; got != c.same {
			t.Errorf("%s and %s: %v", c.rpc, c.web, got)
		}
	}
}
