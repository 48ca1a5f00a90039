package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/repository"
)

// asProgram makes this test binary be explaind itself: "real", "fake" with the models of a rig, or "stuck" with a model whose runs never end.
const asProgram = "EXPLAIND_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "real":
		main()
	case "fake":
		os.Exit(run(new(rig).open))
	case "stuck":
		os.Exit(run(openStuck))
	case "fragile":
		fragile()
	case "aborting", "killed", "hanging", "silent":
		crash(os.Getenv(asProgram))
	default:
		for _, pair := range os.Environ() { // which are settings of serve
			if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, variablePrefix) {
				os.Unsetenv(name)
			}
		}
		os.Exit(m.Run())
	}
}

func openStuck(runtimeFlags) repository.OpenFunc {
	return func(context.Context, string) (explaind.Model, error) {
		m := fakemodel.New(side, "red", "green", "blue")
		m.BeforeRun = func(context.Context) error {
			println("running")
			select {}
		}
		return m, nil
	}
}

// program is a process of explaind.
type program struct {
	*served // its log is standard error
	process *exec.Cmd
	out     *lockedbuffer.Buffer
}

func start(t *testing.T, kind string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p := &program{process: exec.Command(self, args...), out: &lockedbuffer.Buffer{}, served: &served{t: t, log: &lockedbuffer.Buffer{}, done: make(chan int, 1)}}
	p.process.Env = append(os.Environ(), asProgram+"="+kind, "XDG_CACHE_HOME="+t.TempDir())
	p.process.Stdout, p.process.Stderr = p.out, p.log
	must(t, p.process.Start())
	go func() {
		p.process.Wait()
		p.done <- p.process.ProcessState.ExitCode() // −1 if a signal ended it
	}()
	t.Cleanup(func() { p.process.Process.Kill() })
	return p
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	must(p.t, p.process.Process.Signal(s))
}

// The whole program with TensorFlow: it serves a SavedModel, answers what TensorFlow answered in Python, from far and
// near, and stops on SIGTERM.
func TestServeSavedModel(t *testing.T) {
	reference := zoo.Load(t, "module")
	models := t.TempDir()
	must(t, os.CopyFS(filepath.Join(models, "module", "1"), os.DirFS(zoo.Folder(t, "module"))))
	write(t, filepath.Join(models, "module", "explaind.yaml"), "input: {mode: unit}\n")
	c := gradCAMCase(t, reference)
	picture := filepath.Join(t.TempDir(), "picture.png")
	must(t, os.WriteFile(picture, encode(t, reference.Images.Row(0)), 0o644))

	server := start(t, "real", "serve", "--models", models, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	at := server.wait(`msg=ready grpc=(\S+) http=(\S+) models=module failed=none`)
	server.grpc, server.http = at[1], at[2]
	if ready := server.probe("/readyz"); ready != 200 {
		t.Errorf("readyz %d", ready)
	}
	explain := []string{"explain", picture, "--class", strconv.Itoa(c.Classes[0]), "--layer", c.Layer, "--resolution", "layer",
		"--top-k", "6", "--values", "--json", "--out"}
	far := start(t, "real", append(explain, t.TempDir(), "--server", server.grpc)...)
	near := start(t, "real", append(explain, t.TempDir(), "--model", filepath.Join(models, "module"))...)
	for _, p := range []*program{far, near} {
		p.ended(statusGood)
		line := lines[explainLine](t, outcome{stdout: p.out.String(), stderr: p.log.String()})[0]
		// The reference's picture has no 8-bit values, so the numbers are near, not equal.
		for _, s := range line.Predictions {
			want := reference.Probabilities.Row(0).Data[s.ClassIndex]
			if math.Abs(float64(s.Probability)-float64(want)) > 0.01 {
				t.Errorf("class %d has the probability %v, TensorFlow says %v", s.ClassIndex, s.Probability, want)
			}
		}
		if len(line.Predictions) != 6 {
			t.Errorf("%d predictions", len(line.Predictions))
		}
		last := line.Explanations[len(line.Explanations)-1] // --class comes after --top-k
		_, _, values := readNPY(t, last.Values)
		want := &explaind.Heatmap{Values: slices.Clone(c.Maps["grad_cam"].Row(0).Data)}
		want.Normalize()
		if len(values) != len(want.Values) {
			t.Fatalf("%d values, TensorFlow has %d", len(values), len(want.Values))
		}
		for i, v := range values {
			if math.Abs(float64(v-want.Values[i])) > 0.03 {
				t.Errorf("value %d is %v, TensorFlow says %v", i, v, want.Values[i])
			}
		}
	}
	server.signal(syscall.SIGTERM)
	server.ended(statusGood)
	server.wait("every call was answered")
}

// gradCAMCase is a case of the reference with a class that is not the most probable one.
func gradCAMCase(t *testing.T, r *zoo.Reference) zoo.Case {
	t.Helper()
	for _, c := range r.Cases {
		if c.Rank == 0 && c.Score == explaind.ScoreLogit && c.Maps["grad_cam"] != nil {
			return c
		}
	}
	t.Fatal("the reference has no Grad-CAM of a class")
	return zoo.Case{}
}

// encode makes a PNG of an image [H, W, 3] with values 0…1.
func encode(t *testing.T, x *explaind.Tensor) []byte {
	t.Helper()
	height, width := x.Shape[0], x.Shape[1]
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		for k := range 3 {
			m.Pix[4*i+k] = uint8(math.Round(float64(x.Data[3*i+k]) * 255))
		}
		m.Pix[4*i+3] = 255
	}
	var file bytes.Buffer
	must(t, png.Encode(&file, m))
	return file.Bytes()
}

// The first signal waits for calls, the second one does not.
func TestSecondSignal(t *testing.T) {
	r := newRig(t, "colours")
	server := start(t, "stuck", "serve", "--models", r.models, "--grpc", "127.0.0.1:0", "--http", "", "--grace", "1h")
	server.grpc = server.wait(`msg=ready grpc=(\S+)`)[1]
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	client := start(t, "real", "predict", picture, "--server", server.grpc)
	server.wait("running")
	server.signal(syscall.SIGTERM)
	server.wait("msg=stopping")
	select {
	case status := <-server.done:
		t.Fatalf("the server did not wait for the call: exit status %d", status)
	case <-time.After(300 * time.Millisecond):
	}
	server.signal(syscall.SIGTERM)
	server.ended(-1)
	client.ended(statusSomeFailed)
}

// A command without a server stops on the first signal although a run of the model cannot be interrupted.
func TestInterruptedAlone(t *testing.T) {
	r := newRig(t, "colours")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	command := start(t, "stuck", "predict", picture, "--model", r.model("colours"))
	command.wait("running")
	began := time.Now()
	command.signal(os.Interrupt)
	command.ended(statusSomeFailed)
	if took := time.Since(began); took > 2*hangUpTimeout {
		t.Errorf("it took %v", took)
	}
	command.wait("explaind: interrupted")
}
