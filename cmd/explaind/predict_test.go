package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/lockedbuffer"
)

// The fake model's logits of a red picture are 6, 8/e − 2 and 8/e⁴ − 2; these are their softmax.
var redProbabilities = []float64{0.9932920, 0.0063222, 0.0003858}

func TestPredictTable(t *testing.T) {
	r := newRig(t, "colours")
	file := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	got := r.run("predict", file, "--model", r.model("colours")).want(t, statusGood).stdout
	want := file + `
     0  red    0.993
     1  green  0.006
     2  blue   0.000
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPredictJSON(t *testing.T) {
	r := newRig(t, "colours")
	file := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	// The folder of a version is the same model.
	got := lines[predictLine](t, r.run("predict", file, "--model", filepath.Join(r.model("colours"), "1"), "--json", "--top-k", "2").want(t, statusGood))
	if len(got) != 1 || got[0].Image != file || got[0].Model != (modelJSON{"colours", 1, "fa4ered"}) || len(got[0].Predictions) != 2 {
		t.Fatalf("got %+v", got)
	}
	for i, p := range got[0].Predictions {
		label := []string{"red", "green"}[i]
		if p.ClassIndex != int32(i) || p.Label != label || math.Abs(float64(p.Probability)-redProbabilities[i]) > 1e-6 {
			t.Errorf("prediction %d is %+v, want %s %v", i, p, label, redProbabilities[i])
		}
	}
	if logit := float64(got[0].Predictions[0].Logit); logit != 6 {
		t.Errorf("logit %v, want 6", logit)
	}
	if tm := got[0].Timing; tm.TotalUS <= 0 || tm.DecodeUS > tm.TotalUS {
		t.Errorf("timing %+v", tm)
	}
}

// A folder with good, corrupt and foreign files: the good ones are answered in order, the corrupt ones named.
func TestPredictGoesOnAfterFailures(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	colours := []struct {
		name string
		best string
	}{{"a.png", "red"}, {"c.PNG", "green"}, {"e.png", "blue"}}
	paint(t, filepath.Join(dir, "a.png"), red, red)
	bad := write(t, filepath.Join(dir, "b.png"), "no picture at all")
	paint(t, filepath.Join(dir, "c.PNG"), green, green)
	empty := write(t, filepath.Join(dir, "d.jpg"), "")
	paint(t, filepath.Join(dir, "e.png"), blue, blue)
	write(t, filepath.Join(dir, "notes.txt"), "not taken from folders")
	gone := filepath.Join(dir, "gone.png")

	o := r.run("predict", gone, dir, "--model", r.model("colours"), "--json").
		want(t, statusSomeFailed, bad+": ", empty+": ", gone+": there is no such file", "explaind: 3 of 6 images failed",
			empty+": the file is empty (IMAGE_DECODE_FAILED)\n")
	type either struct {
		predictLine
		Error *failure `json:"error"`
	}
	failed, good := map[string]failure{}, 0
	for _, line := range lines[either](t, o) {
		if line.Error != nil {
			failed[line.Image] = *line.Error
			continue
		}
		want := colours[good]
		if line.Image != filepath.Join(dir, want.name) || line.Predictions[0].Label != want.best {
			t.Errorf("line %d is %s %s, want %s %s", good, line.Image, line.Predictions[0].Label, want.name, want.best)
		}
		good++
	}
	if good != 3 || len(failed) != 3 {
		t.Errorf("%d good and %d failed lines, want 3 and 3: %+v", good, len(failed), failed)
	}
	for _, path := range []string{bad, empty} {
		if f := failed[path]; f.Code != "INVALID_ARGUMENT" || f.Reason == "" || f.Message == "" {
			t.Errorf("%s: %+v, want INVALID_ARGUMENT with a reason and a message", path, f)
		}
	}
	if strings.Contains(o.stderr, "image.encoded") {
		t.Errorf("the protocol's field is of no use to people:\n%s", o.stderr)
	}
}

func TestPredictManyImages(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	const count = 150
	for i := range count {
		path := filepath.Join(dir, fmt.Sprintf("%04d.png", i))
		if i%10 == 3 {
			write(t, path, "corrupt")
			continue
		}
		paint(t, path, red, green)
	}
	o := r.run("predict", dir, "--model", r.model("colours")).want(t, statusSomeFailed, "15 of 150 images failed")
	position := -1
	for i := range count {
		at := strings.Index(o.stdout, fmt.Sprintf("%04d.png\n", i))
		if (at < 0) != (i%10 == 3) {
			t.Fatalf("image %d: found at %d", i, at)
		}
		if at >= 0 && at < position {
			t.Fatalf("image %d is out of order", i)
		}
		position = max(position, at)
	}
}

// Whatever keeps a command from its work ends it with status 2 and a text that tells what to do.
func TestCannotStart(t *testing.T) {
	r := newRig(t, "colours", "broken", "with space")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	model := r.model("colours")
	for _, c := range []struct {
		name string
		args []string
		text []string
	}{
		{"no image", []string{"predict", "--model", model}, []string{"no image is given", "explaind predict --help"}},
		{"no such image", []string{"predict", "gone.png", "--model", model}, []string{"gone.png: there is no such file", "there is no image to work on"}},
		{"no model", []string{"predict", picture}, []string{"--model is missing", "--server"}},
		{"no such folder", []string{"predict", picture, "--model", "gone"}, []string{"there is no folder gone", "--server"}},
		{"several models", []string{"predict", picture, "--model", r.models}, []string{"holds 3 folders", model, "give one of them"}},
		{"empty folder", []string{"predict", picture, "--model", t.TempDir()}, []string{"saved_model.pb", "NO_MODELS"}},
		{"bad name", []string{"predict", picture, "--model", r.model("with space")}, []string{"BAD_MODEL_NAME", "NAME=" + r.model("with space")}},
		{"broken model", []string{"predict", picture, "--model", r.model("broken")}, []string{"the variables are missing (BAD_SAVED_MODEL)"}},
		{"unknown flag", []string{"predict", picture, "--modle", model}, []string{"unknown flag: --modle", "explaind predict --help"}},
		{"top-k", []string{"predict", picture, "--model", model, "--top-k", "0"}, []string{"--top-k must be at least 1"}},
		{"threads", []string{"predict", picture, "--model", model, "--threads", "-1"}, []string{`--threads "-1" is not a whole number from 0 on`}},
		{"unknown command", []string{"perdict", picture}, []string{`unknown command "perdict"; did you mean predict? See 'explaind --help'` + "\n"}},
		{"number", []string{"predict", picture, "--model", model, "--top-k", "three"}, []string{`explaind: --top-k "three" is not a number; see`}},
		{"fraction", []string{"predict", picture, "--model", model, "--top-k", "2.5"}, []string{`--top-k "2.5" is not a whole number;`}},
		{"huge number", []string{"predict", picture, "--model", model, "--top-k", "9999999999"}, []string{`--top-k "9999999999" is out of range;`}},
		{"ranks", []string{"explain", picture, "--model", model, "--rank", "1,x"}, []string{`--rank "1,x" is not a list of numbers`}},
		{"time", []string{"predict", picture, "--model", model, "--timeout", "5"}, []string{`--timeout "5" is not a time such as 30s`}},
		{"server as URL", []string{"predict", picture, "--server", "http://127.0.0.1:8500"}, []string{`--server wants HOST:PORT of gRPC, such as 127.0.0.1:8500, got "http://127.0.0.1:8500"`}},
		{"server without port", []string{"models", "--server", "localhost"}, []string{"--server wants HOST:PORT"}},
		{"server with a path", []string{"layers", "--server", "http://localhost"}, []string{"--server wants HOST:PORT"}},
		{"nobody listens", []string{"predict", picture, "--server", "127.0.0.1:1"}, []string{"cannot be reached", "--server"}},
		{"method", []string{"explain", picture, "--model", model, "--method", "guess_cam"}, []string{"--method: ", `"guess_cam" is not known`, "grad_cam"}},
		{"layer", []string{"explain", picture, "--model", model, "--layer", "featurse"}, []string{"--layer: ", "nearest: ", "block/features"}},
		{"method on layer", []string{"explain", picture, "--model", model, "--layer", "frozen"}, []string{"METHOD_UNSUPPORTED", "no gradient"}},
		{"label", []string{"explain", picture, "--model", model, "--class", "gren"}, []string{"--class: ", "nearest: green"}},
		{"class", []string{"explain", picture, "--model", model, "--class", "3"}, []string{"--class: class 3", "classes 0 to 2"}},
		{"negative class", []string{"explain", picture, "--model", model, "--class", "-1"}, []string{"--class: class -1"}},
		{"versus", []string{"explain", picture, "--model", model, "--versus", "9"}, []string{"--versus: class 9"}},
		{"versus label", []string{"explain", picture, "--model", model, "--versus", "gren"}, []string{"--versus: ", "nearest: green"}},
		{"versus itself", []string{"explain", picture, "--model", model, "--class", "red", "--versus", "RED"}, []string{"--versus: class 0 cannot be explained against itself"}},
		{"rank", []string{"explain", picture, "--model", model, "--rank", "4"}, []string{"--rank: 4"}},
		{"rank and top-k", []string{"explain", picture, "--model", model, "--rank", "1", "--top-k", "2"}, []string{"--top-k and --rank exclude each other"}},
		{"explain top-k", []string{"explain", picture, "--model", model, "--top-k", "-1"}, []string{"--top-k must be at least 1"}},
		{"alpha", []string{"explain", picture, "--model", model, "--alpha", "1.5"}, []string{"--alpha: "}},
		{"colormap", []string{"explain", picture, "--model", model, "--colormap", "rainbow"}, []string{`--colormap "rainbow" is not known; choose among jet, viridis, turbo, magma`}},
		{"values without folder", []string{"explain", picture, "--model", model, "--values", "--out", ""}, []string{"--out"}},
		{"folder is a file", []string{"explain", picture, "--model", model, "--out", picture}, []string{"--out: the folder " + picture + " cannot be made: not a directory"}},
		{"file in the way of a figure", []string{"compare", picture, "--model", "gone", "--out", filepath.Join(picture, "f.png")}, []string{"--out: the folder " + picture, "not a directory"}},

		{"two images", []string{"compare", picture, picture, "--model", model}, []string{"compare takes one image, got 2"}},
		{"compare a folder", []string{"compare", t.TempDir(), "--model", model}, []string{"is a folder"}},
		{"compare nothing", []string{"compare", "gone.png", "--model", model}, []string{"gone.png: no such file"}},
		{"figure.jpg", []string{"compare", picture, "--model", model, "--out", "figure.jpg"}, []string{"name that ends in .png"}},
		{"compare layer", []string{"compare", picture, "--model", model, "--layer", "nowhere"}, []string{"--layer: ", "LAYER_NOT_FOUND"}},
		{"compare frozen", []string{"compare", picture, "--model", model, "--layer", "frozen"}, []string{"no method can explain", "explaind layers"}},
		{"article", []string{"compare", picture, "--model", model, "--article"}, []string{"article_cam cannot explain", "methods that work here"}},
		{"article and method", []string{"compare", picture, "--model", model, "--article", "--method", "cam"}, []string{"--article and --method exclude each other; see 'explaind compare --help'"}},
		{"models", []string{"models"}, []string{"--server is missing"}},
		{"models of a folder", []string{"models", "x"}, []string{"models takes no arguments; did you mean --server x?"}},
		{"layers", []string{"layers", "--model", "gone"}, []string{"there is no folder gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			if o := r.run(c.args...).want(t, statusNotStarted, c.text...); o.stdout != "" {
				t.Errorf("standard output is not empty:\n%s", o.stdout)
			}
		})
	}
}

func TestNameForAFolder(t *testing.T) {
	r := newRig(t, "with space")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	got := lines[predictLine](t, r.run("predict", picture, "--json", "--model", "spacious="+r.model("with space")).want(t, statusGood))
	if got[0].Model.Name != "spacious" {
		t.Errorf("model %q, want spacious", got[0].Model.Name)
	}
}

func TestTimeout(t *testing.T) {
	r := newRig(t, "colours")
	r.beforeRun = func(ctx context.Context) error {
		<-ctx.Done()
		return explaind.FromContext(ctx)
	}
	dir := t.TempDir()
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		paint(t, filepath.Join(dir, name), red, red)
	}
	began := time.Now()
	r.run("predict", dir, "--model", r.model("colours"), "--timeout", "1500ms").
		want(t, statusSomeFailed, "3 images from", "have no answer", "--timeout", "3 of 3 images failed")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("giving up after 1.5 s took %v", took)
	}
	r.beforeOpen = func(ctx context.Context, _ string) { <-ctx.Done() }
	r.run("predict", dir, "--model", r.model("colours"), "--timeout", "100ms").want(t, statusNotStarted, "DEADLINE_EXCEEDED")
}

func TestInterrupt(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	first, second := paint(t, filepath.Join(dir, "a.png"), red, red), filepath.Join(dir, "b.png")
	must(t, syscall.Mkfifo(second, 0o600)) // not read to its end before somebody has written it
	var stdout, stderr lockedbuffer.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for !strings.Contains(stdout.String(), first) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		cancel()
		os.WriteFile(second, []byte("too late"), 0)
	}()
	a := &app{open: r.open, stdout: &stdout, stderr: &stderr}
	args := []string{"predict", dir, "--model", r.model("colours")}
	status := a.run(ctx, args)
	outcome{status, stdout.String(), stderr.String()}.want(t, statusSomeFailed, second+": interrupted\n", "explaind: interrupted: 1 of 2 images have no answer\n")
	r.runContext(ctx, args...).want(t, statusNotStarted, "explaind: interrupted\n")
}

// What was noticed about a model stands on standard error, once, and leaves the answers alone.
func TestWarnings(t *testing.T) {
	r := newRig(t, "colours")
	r.alter = func(s *explaind.Spec) { s.Warnings = []string{"the preprocessing is guessed"} }
	picture, out := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red), t.TempDir()
	for _, args := range [][]string{
		{"predict", picture, "--json"},
		{"explain", picture, "--out", out},
		{"compare", picture, "--out", filepath.Join(out, "figure.png"), "--json"},
	} {
		o := r.run(append(args, "--model", r.model("colours"))...).want(t, statusGood, "warning: ")
		if o.stderr != "warning: the preprocessing is guessed\n" || strings.Contains(o.stdout, "guessed") {
			t.Errorf("%v: got\n%s%s", args, o.stderr, o.stdout)
		}
	}
}

// The cache folder that nobody chose may be missing; the one that was chosen may not.
func TestCacheCannotBeWritten(t *testing.T) {
	r := newRig(t, "colours")
	home := write(t, filepath.Join(t.TempDir(), "home"), "a file")
	t.Setenv("XDG_CACHE_HOME", home)
	picture, folder := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red), filepath.Join(home, "explaind")
	o := r.run("predict", picture, "--model", r.model("colours")).
		want(t, statusGood, "warning: the cache folder "+folder+" cannot be written", `choose one with --cache DIR or none with --cache ""`)
	if strings.Count(o.stderr, "\n") != 1 || r.runtime.cache != "" {
		t.Errorf("it went on with the cache %q and told\n%s", r.runtime.cache, o.stderr)
	}
	r.run("predict", picture, "--model", r.model("colours"), "--cache", "").want(t, statusGood)
	r.run("predict", picture, "--model", r.model("colours"), "--cache", folder).want(t, statusGood) // it is the model that writes
	if r.runtime.cache != folder {
		t.Errorf("the cache is %q, want the one that was chosen", r.runtime.cache)
	}
	for _, model := range []string{"uncached", "."} { // one model, and two
		r := newRig(t, "uncached", "uncached-2")
		s := r.serve("--models", r.model(model), "--cache", folder)
		s.ended(statusNotStarted)
		if !strings.Contains(s.log.String(), `the cache is read-only; choose a folder with --cache DIR, or none with --cache ""`) {
			t.Errorf("no way out of a folder that cannot be written:\n%s", s.log)
		}
	}
	t.Setenv("XDG_CACHE_HOME", home)
	s := r.serve("--models", r.models)
	s.wait(`level=WARN msg="the cache folder ` + folder + ` cannot be written`)
}
