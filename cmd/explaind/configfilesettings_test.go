package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/explaind/explaind/repository"
)

// samples are three values of a flag, none of them the default: as texts, and as the flag tells them back.
func samples(t *testing.T, flag *pflag.Flag) [3]string {
	t.Helper()
	if flag.Name == "models" || flag.Name == "model" {
		return [3]string{"a=/a", "b=/b", "c=/c"}
	}
	var out []string
	for _, text := range []string{"7", "11", "13", "7s", "11s", "13s", "0.25", "0.5", "0.75", "text-a", "text-b", "text-c", "true", "false"} {
		one := serveSettings().cmd.Flags().Lookup(flag.Name)
		if one.Value.Set(text) == nil && one.Value.String() != flag.DefValue {
			out = append(out, text)
		}
	}
	if flag.Value.Type() == "bool" {
		return [3]string{out[0], out[0], out[0]}
	}
	if len(out) < 3 {
		t.Fatalf("--%s takes none of the samples", flag.Name)
	}
	return [3]string(out[:3])
}

// Every flag of serve, whatever its kind, can be given in three ways, and the nearest one wins.
func TestPrecedence(t *testing.T) {
	serveSettings().visit(func(flag *pflag.Flag) {
		t.Run(flag.Name, func(t *testing.T) {
			values := samples(t, flag)
			file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), fmt.Sprintf("# settings\n%s: %s\n", flag.Name, values[2]))
			check := func(s *settings, err error, value, from string) {
				t.Helper()
				must(t, err)
				got := s.cmd.Flags().Lookup(flag.Name)
				if text := strings.Trim(got.Value.String(), "[]"); text != strings.Trim(value, "[]") {
					t.Errorf("from %s: got %s, want %s", from, text, value)
				}
				if origin := s.origins[flag.Name].String(); origin != from {
					t.Errorf("%s is from %s, want %s", value, origin, from)
				}
				if got.Changed != (from != "default") {
					t.Errorf("from %s: changed is %v", from, got.Changed)
				}
			}
			_, s, err := settled(t)
			check(s, err, flag.DefValue, "default")
			_, s, err = settled(t, "--config", file)
			check(s, err, values[2], file+":2")
			t.Setenv(variable(flag.Name), values[1])
			_, s, err = settled(t, "--config", file)
			check(s, err, values[1], variable(flag.Name))
			_, s, err = settled(t, "--config", file, "--"+flag.Name+"="+values[0])
			check(s, err, values[0], "flag")
			t.Setenv("EXPLAIND_CONFIG", file)
			must(t, os.Unsetenv(variable(flag.Name)))
			_, s, err = settled(t)
			check(s, err, values[2], file+":2")
		})
	})
}

// A file may be named twice; the command line's counts.
func TestConfigFlagBeforeVariable(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "a.yaml"), "threads: 3\n")
	t.Setenv("EXPLAIND_CONFIG", filepath.Join(t.TempDir(), "gone"))
	f, _, err := settled(t, "--config", file)
	must(t, err)
	if f.runtime.threads != 3 {
		t.Errorf("%d threads", f.runtime.threads)
	}
	_, s, err := settled(t, "--config", "")
	must(t, err)
	if len(s.origins) != 0 {
		t.Errorf("without a file: %v", s.origins)
	}
}

func TestListsOfTheEnvironment(t *testing.T) {
	for text, want := range map[string][]string{
		"/a":            {"/a"},
		"/a;/b":         {"/a", "/b"},
		" /a; /b":       {"/a", "/b"},
		"/a\n/b\n":      {"/a", "/b"},
		`"/a;b";/c,d`:   {"/a;b", "/c,d"},
		"":              nil,
		"specific=1,2;": {"specific=1,2", ""},
	} {
		t.Setenv("EXPLAIND_MODELS", text)
		f, s, err := settled(t)
		must(t, err)
		if !slices.Equal(f.models.folders, want) {
			t.Errorf("%q: got %q, want %q", text, f.models.folders, want)
		}
		if s.origins["models"].String() != "EXPLAIND_MODELS" {
			t.Errorf("%q: from %v", text, s.origins["models"])
		}
	}
	t.Setenv("EXPLAIND_MODELS", `"/a`)
	if _, _, err := settled(t); err == nil || !strings.HasPrefix(err.Error(), "EXPLAIND_MODELS: not values with ; between them: ") {
		t.Errorf("got %v", err)
	}
}

func TestBadVariables(t *testing.T) {
	t.Setenv("EXPLAIND_THREADS", "many")
	t.Setenv("EXPLAIND_GRACE", "")
	t.Setenv("EXPLAIND_INSECURE", "perhaps")
	_, _, err := settled(t)
	want := []string{
		`EXPLAIND_GRACE "" is not a time such as 30s or 2m`, `EXPLAIND_INSECURE "perhaps" is neither true nor false`, `EXPLAIND_THREADS "many" is not a number`,
	}
	var got []string
	for _, one := range each(err) {
		got = append(got, one.Error())
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Misspelled variables are told of; those that Kubernetes and others set are not.
func TestUnknownVariables(t *testing.T) {
	t.Setenv("EXPLAIND_THREDS", "1")
	for _, other := range []string{"EXPLAIND_PORT", "EXPLAIND_SERVICE_HOST", "EXPLAIND_PORT_8500_TCP", "EXPLAIND_GRPC_PORT", "EXPLAIND_HOME_OF_THE_TESTS"} {
		t.Setenv(other, "x")
	}
	_, s, err := settled(t)
	must(t, err)
	if want := []string{"EXPLAIND_THREDS is no setting and is ignored; did you mean EXPLAIND_THREADS?"}; !slices.Equal(s.warnings, want) {
		t.Errorf("got %q", s.warnings)
	}
}

// A setting whose variable Kubernetes might set would be given by chance.
func TestVariablesAreNotThoseOfKubernetes(t *testing.T) {
	for _, name := range serveSettings().names() {
		if ofKubernetes.MatchString(variable(name)) {
			t.Errorf("--%s is %s, which Kubernetes sets for a service called explaind", name, variable(name))
		}
	}
}

func TestModelsOfAFile(t *testing.T) {
	const text = `models:
  - /srv/models
  - name: resnet50
    path: /srv/resnet50
    versions: {latest: 2}
    labels: {stable: 3, canary: 4}
  - {name: vgg16, versions: all}
  - {name: a, path: /a, versions: {specific: [1, 3]}}
  - {name: b, path: /b, versions: latest=2}
model: [c=/c]
`
	f, s, got := inFile(t, text)
	if got != "" {
		t.Fatal(got)
	}
	want := []repository.ModelConfig{
		{Name: "resnet50", Path: "/srv/resnet50", Policy: &repository.Policy{Latest: 2}, Labels: map[string]int64{"stable": 3, "canary": 4}},
		{Name: "vgg16", Policy: &repository.Policy{All: true}},
		{Name: "a", Path: "/a", Policy: &repository.Policy{Versions: []int64{1, 3}}},
		{Name: "b", Path: "/b", Policy: &repository.Policy{Latest: 2}},
	}
	if !reflect.DeepEqual(f.models.written, want) || !slices.Equal(f.models.folders, []string{"/srv/models"}) || !slices.Equal(f.models.named, []string{"c=/c"}) {
		t.Errorf("got %+v", f.models)
	}
	if s.origins["models"].line != 1 || s.origins["model"].line != 10 {
		t.Errorf("from %v", s.origins)
	}
	// Another setting replaces the whole list.
	f, _, got = inFile(t, text, "--models", "/other")
	if got != "" || len(f.models.written) != 0 || !slices.Equal(f.models.folders, []string{"/other"}) {
		t.Errorf("with a flag: %+v %s", f.models, got)
	}
	f, _, got = inFile(t, "models: /srv/models\n")
	if got != "" || !slices.Equal(f.models.folders, []string{"/srv/models"}) {
		t.Errorf("one folder: %+v %s", f.models, got)
	}
}

// What starts TensorFlow Serving's image names a model here too, if nothing else does.
func TestModelOfTensorFlowServing(t *testing.T) {
	t.Setenv("MODEL_NAME", "resnet50")
	for base, want := range map[string]string{"": "resnet50=/models/resnet50", "/srv/": "resnet50=/srv/resnet50"} {
		t.Setenv("MODEL_BASE_PATH", base)
		f, s, err := settled(t)
		must(t, err)
		if !slices.Equal(f.models.named, []string{want}) || s.origins["model"].String() != "MODEL_NAME" {
			t.Errorf("got %q from %v", f.models.named, s.origins["model"])
		}
	}
	f, _, err := settled(t, "--models", "/a")
	must(t, err)
	if len(f.models.named) != 0 {
		t.Errorf("beside --models: %q", f.models.named)
	}
}

// Errors about flags name the place where they were set.
func TestLocate(t *testing.T) {
	t.Setenv("EXPLAIND_MAX_IMAGE_MB", "0")
	file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), "\nlog-level: loud\nmodels: /nowhere\n")
	r := newRig(t)
	r.run("serve", "--config", file, "--log-format", "xml").want(t, statusNotStarted,
		"explaind: EXPLAIND_MAX_IMAGE_MB must be at least 1\n",
		"explaind: "+file+":3: models /nowhere: the model folder /nowhere does not exist (FOLDER_NOT_FOUND)\n")
	r.run("serve", "--config", file, "--log-level", "info", "--log-format", "xml").want(t, statusNotStarted, `explaind: --log-format "xml" is not known`)
	r.run("serve", "--config", file).want(t, statusNotStarted, "explaind: "+file+`:2: log-level "loud" is not known`)
}

// Groups of flags that exclude each other do so wherever they are set.
func TestFlagGroupsAcrossSources(t *testing.T) {
	cmd := &cobra.Command{Use: "serve"}
	cmd.Flags().String(configFlag, "", "")
	cmd.Flags().Bool("one", false, "")
	cmd.Flags().Bool("other", false, "")
	cmd.MarkFlagsMutuallyExclusive("one", "other")
	must(t, cmd.ParseFlags([]string{"--one"}))
	t.Setenv("EXPLAIND_OTHER", "true")
	s := &settings{cmd: cmd}
	if err := s.settle(); err == nil || !strings.Contains(err.Error(), "--one and --other exclude each other") {
		t.Errorf("got %v", err)
	}
}

// A number that cannot be read is one mistake, and leaves the default in force.
func TestUnreadableNumbersAreToldOnce(t *testing.T) {
	r := newRig(t, "colours")
	for _, value := range []string{"99999999999999999999", "many", "-1"} {
		file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), "max-streams: "+value+"\nmodels: "+r.models+"\n")
		o := r.run("config", "check", "--config", file).want(t, statusNotStarted, file+`:1: max-streams "`+value+`" is `)
		if strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stdout, "max-streams: 256 ") {
			t.Errorf("%s: it says\n%s\n%s", value, o.stderr, o.stdout)
		}
		t.Setenv("EXPLAIND_MAX_STREAMS", value)
		if o := r.run("config", "check", "--models", r.models).want(t, statusNotStarted, "EXPLAIND_MAX_STREAMS"); strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: it says\n%s", value, o.stderr)
		}
		must(t, os.Unsetenv("EXPLAIND_MAX_STREAMS"))
	}
}
