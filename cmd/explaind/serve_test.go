package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
)

// served is an "explaind serve" that runs.
type served struct {
	t          *testing.T
	log        *lockedbuffer.Buffer
	stop       context.CancelFunc
	done       chan int // the exit status
	grpc, http string
}

// serve starts a server on free ports and waits until it listens.
func (r *rig) serve(args ...string) *served {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{t: r.t, log: &lockedbuffer.Buffer{}, stop: cancel, done: make(chan int, 1)}
	a := &app{open: r.open, stdout: io.Discard, stderr: s.log}
	args = append([]string{"serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--poll-interval", "20ms"}, args...)
	go func() { s.done <- a.run(ctx, args) }()
	r.t.Cleanup(func() {
		cancel()
		select {
		case <-s.done:
		case <-time.After(20 * time.Second):
			r.t.Error("the server does not stop")
		}
	})
	at := s.wait(`msg=listening grpc=(\S+) http=(\S+)`)
	s.grpc, s.http = at[1], at[2]
	return s
}

// wait waits for a line of the log.
func (s *served) wait(pattern string) []string {
	s.t.Helper()
	line := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if found := line.FindStringSubmatch(s.log.String()); found != nil {
			return found
		}
	}
	s.t.Fatalf("the log never had %q:\n%s", pattern, s.log)
	return nil
}

// ended waits for the end and checks the exit status.
func (s *served) ended(status int) {
	s.t.Helper()
	select {
	case got := <-s.done:
		if got != status {
			s.t.Errorf("exit status %d, want %d:\n%s", got, status, s.log)
		}
		s.done <- got
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the server does not end:\n%s", s.log)
	}
}

func (s *served) probe(path string) int {
	s.t.Helper()
	answer, err := http.Get("http://" + s.http + path)
	must(s.t, err)
	answer.Body.Close()
	return answer.StatusCode
}

func (s *served) health(service string) string {
	s.t.Helper()
	connection, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(s.t, err)
	defer connection.Close()
	answer, err := healthpb.NewHealthClient(connection).Check(context.Background(), &healthpb.HealthCheckRequest{Service: service})
	must(s.t, err)
	return answer.GetStatus().String()
}

// The server answers while it loads: it is alive, not ready, and says so to those who ask for a model.
func TestServeIsVisibleWhileLoading(t *testing.T) {
	r := newRig(t, "colours", "broken")
	gate := make(chan struct{})
	r.beforeOpen = func(context.Context, string) { <-gate }
	s := r.serve("--models", r.models)
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)

	if live, ready := s.probe("/livez"), s.probe("/readyz"); live != 200 || ready != 503 {
		t.Errorf("while loading: livez %d, readyz %d", live, ready)
	}
	if got := s.health("explaind.v1.ExplainService"); got != "NOT_SERVING" {
		t.Errorf("while loading: %s", got)
	}
	r.run("predict", picture, "--server", s.grpc, "--model", "colours", "--timeout", "500ms").
		want(t, statusNotStarted, "waiting for it …\n", "still loading when the time of --timeout had passed", "MODEL_LOADING")
	asked := func() int { return strings.Count(s.log.String(), "grpc.method=GetModel") }
	before, patient := asked(), make(chan outcome, 1)
	go func() { patient <- r.run("predict", picture, "--server", s.grpc, "--model", "colours") }()
	for deadline := time.Now().Add(20 * time.Second); asked() == before && time.Now().Before(deadline); { // refused at least once
		time.Sleep(5 * time.Millisecond)
	}
	if o := r.run("models", "--server", s.grpc).want(t, statusGood); strings.Count(o.stdout, "loading") != 2 {
		t.Errorf("models while loading:\n%s", o.stdout)
	}

	close(gate)
	s.wait(`msg=ready grpc=` + regexp.QuoteMeta(s.grpc) + ` http=` + regexp.QuoteMeta(s.http) + ` models=colours failed=broken`)
	if o := (<-patient).want(t, statusGood, "still loading the model; waiting"); !strings.Contains(o.stdout, "red    0.993") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("who waited got %+v", o)
	}
	if ready := s.probe("/readyz"); ready != 200 {
		t.Errorf("when loaded: readyz %d", ready)
	}
	for _, service := range []string{"", "explaind.v1.ExplainService", "models/colours"} {
		if got := s.health(service); got != "SERVING" {
			t.Errorf("health of %q is %s", service, got)
		}
	}
	r.run("predict", picture, "--server", s.grpc, "--model", "colors").want(t, statusNotStarted, `--model: model "colors" does not exist; nearest: colours`)
	r.run("predict", picture, "--server", s.grpc).want(t, statusNotStarted, "MODEL_REQUIRED", "broken, colours")
	r.run("predict", picture, "--server", s.grpc, "--model", "broken").want(t, statusNotStarted, "the variables are missing", "MODEL_FAILED")

	states := map[string]versionLine{}
	for _, line := range lines[versionLine](t, r.run("models", "--server", s.grpc, "--json").want(t, statusGood)) {
		states[line.Model] = line
	}
	if got := states["colours"]; got.State != "ready" || got.Version != 1 || got.Digest != "fa4ered" || got.Error != nil {
		t.Errorf("colours: %+v", got)
	}
	if got := states["broken"]; got.State != "failed" || got.Error == nil || got.Error.Reason != "BAD_SAVED_MODEL" {
		t.Errorf("broken: %+v", got)
	}
	s.stop()
	s.ended(statusGood)
}

// What a server answers is what the command answers by itself.
func TestFarIsNear(t *testing.T) {
	r := newRig(t, "colours")
	s := r.serve("--models", r.models)
	s.wait("msg=ready")
	dir := t.TempDir()
	halfRed(t, dir)
	paint(t, filepath.Join(dir, "mixed.png"), green, blue)
	write(t, filepath.Join(dir, "corrupt.png"), "corrupt")
	for _, args := range [][]string{
		{"predict", dir, "--json"},
		{"explain", dir, "--json", "--method", "cam,grad_cam,grad_cam_plus_plus", "--top-k", "3", "--values", "--resolution", "original"},
		{"explain", dir, "--json", "--class", "green", "--score", "probability", "--interpolation", "cubic_spline", "--colormap", "viridis"},
	} {
		near, far := t.TempDir(), t.TempDir()
		nearArgs, farArgs := append(args, "--model", r.model("colours")), append(args, "--model", "colours", "--server", s.grpc)
		if args[0] == "explain" {
			nearArgs, farArgs = append(nearArgs, "--out", near), append(farArgs, "--out", far)
		}
		a := withoutTiming(t, r.run(nearArgs...).want(t, statusSomeFailed, "1 of 3 images failed"), near)
		b := withoutTiming(t, r.run(farArgs...).want(t, statusSomeFailed, "1 of 3 images failed"), far)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%v:\nnear %v\nfar  %v", args, a, b)
		}
		if err := sameFiles(near, far); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	if o := r.run("layers", "--server", s.grpc).want(t, statusGood); o.stdout != r.run("layers", "--model", r.model("colours")).stdout {
		t.Errorf("layers:\n%s", o.stdout)
	}
}

// sameFiles tells the first difference between two folders.
func sameFiles(a, b string) error {
	entries, err := os.ReadDir(a)
	if err != nil {
		return err
	}
	others, err := os.ReadDir(b)
	if err != nil || len(others) != len(entries) {
		return fmt.Errorf("%d and %d files (%v)", len(entries), len(others), err)
	}
	for _, e := range entries {
		one, err := os.ReadFile(filepath.Join(a, e.Name()))
		if err != nil {
			return err
		}
		other, err := os.ReadFile(filepath.Join(b, e.Name()))
		if err != nil || !bytes.Equal(one, other) {
			return fmt.Errorf("%s differs (%v)", e.Name(), err)
		}
	}
	return nil
}

func withoutTiming(t *testing.T, o outcome, folder string) []map[string]any {
	t.Helper()
	o.stdout = strings.ReplaceAll(o.stdout, folder, "OUT")
	list := lines[map[string]any](t, o)
	if len(list) != 3 {
		t.Errorf("%d lines", len(list))
	}
	for _, line := range list {
		delete(line, "timing")
	}
	return list
}

func TestLayers(t *testing.T) {
	r := newRig(t, "colours")
	got := r.run("layers", "--model", r.model("colours")).want(t, statusGood).stdout
	want := `model     colours, version 1
input     16×16×3, float32
classes   3, softmax, labelled
of input  saliency, gradient_x_input, smooth_grad, integrated_gradients, occlusion, rise
usual     cam, grad_cam, grad_cam_plus_plus, hires_cam, xgrad_cam, layer_cam, eigen_cam,
          eigen_grad_cam, score_cam, ablation_cam, smooth_grad_cam_plus_plus, article_grad_cam,
          article_grad_cam_plus_plus

   LAYER           OP       SHAPE  METHODS
   frozen          AvgPool  8×8×3  eigen_cam, score_cam; no gradients: operation Frozen has no gradient
*  block/features  AvgPool  8×8×3  usual
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	list := lines[layerLine](t, r.run("layers", "--model", r.model("colours"), "--json").want(t, statusGood))
	if len(list) != 2 || list[0].Default || !list[1].Default || list[0].Reason == "" || list[1].Channels != 3 {
		t.Errorf("got %+v", list)
	}
	// For programs each line is whole.
	if !slices.Equal(list[0].Methods, []string{"eigen_cam", "score_cam", "saliency", "gradient_x_input", "smooth_grad", "integrated_gradients", "occlusion", "rise"}) {
		t.Errorf("the frozen layer has %q", list[0].Methods)
	}
}

func TestMethodsOfALayer(t *testing.T) {
	usual := []pb.Method{pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_HIRES_CAM, pb.Method_METHOD_LAYER_CAM, pb.Method_METHOD_EIGEN_CAM, pb.Method_METHOD_SCORE_CAM}
	for _, c := range []struct {
		methods []pb.Method
		want    string
	}{
		{usual, "usual"},
		{append([]pb.Method{pb.Method_METHOD_CAM}, usual...), "usual, also cam"},
		{usual[1:], "usual but grad_cam"},
		{append([]pb.Method{pb.Method_METHOD_CAM}, usual[2:]...), "usual but grad_cam, hires_cam, also cam"},
		{usual[4:], "score_cam"},
		{nil, ""},
	} {
		if got := methodsCell(c.methods, usual); got != c.want {
			t.Errorf("%v: got %q, want %q", c.methods, got, c.want)
		}
	}
	if got := methodsCell(usual[:1], nil); got != "grad_cam" {
		t.Errorf("without usual ones: got %q", got)
	}
}

func TestServeCannotStart(t *testing.T) {
	r := newRig(t, "colours")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	busy := taken.Addr().String()
	for _, c := range []struct {
		name string
		args []string
		text []string
	}{
		{"no model", nil, []string{"no model to serve", "--models DIR"}},
		{"no such folder", []string{"--models", "gone"}, []string{"--models gone", "does not exist"}},
		{"no name", []string{"--model", r.model("colours")}, []string{"--model " + r.model("colours"), "is not NAME=DIR"}},
		{"twice the same name", []string{"--models", r.models, "--model", "colours=" + r.model("colours"), "--grpc", "127.0.0.1:0", "--http", ""}, []string{"DUPLICATE_MODEL"}},
		{"port in use", []string{"--models", r.models, "--grpc", busy}, []string{"--grpc " + busy + " is in use", "choose another"}},
		{"probes' port in use", []string{"--models", r.models, "--grpc", "127.0.0.1:0", "--http", busy}, []string{"--http " + busy + " is in use"}},
		{"no address", []string{"--models", r.models, "--grpc", "nonsense"}, []string{"--grpc nonsense"}},
		{"log level", []string{"--models", r.models, "--log-level", "loud"}, []string{"--log-level", "debug, info, warn, error"}},
		{"log format", []string{"--models", r.models, "--log-format", "xml"}, []string{"text or json"}},
		{"no pixels", []string{"--models", r.models, "--max-pixels", "0"}, []string{"--max-pixels must be at least 1"}},
		{"huge messages", []string{"--models", r.models, "--max-message-mb", "5000"}, []string{"at most 2047"}},
		{"an argument", []string{"colours"}, []string{"serve takes no arguments; did you mean --models colours? See 'explaind serve --help'"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			r.run(append([]string{"serve"}, c.args...)...).want(t, statusNotStarted, c.text...)
		})
	}
}

// A server none of whose models can be loaded would never be of use.
func TestServeEndsWithoutModels(t *testing.T) {
	r := newRig(t, "broken")
	s := r.serve("--models", r.models)
	s.ended(statusNotStarted)
	if !strings.Contains(s.log.String(), "explaind: model broken: the variables are missing (BAD_SAVED_MODEL)") {
		t.Errorf("the log does not tell why:\n%s", s.log)
	}
	r = newRig(t, "broken-1", "broken-2")
	s = r.serve("--models", r.models)
	s.ended(statusNotStarted)
	if !strings.Contains(s.log.String(), "no model could be loaded: broken-1: the variables are missing; broken-2: the variables are missing") {
		t.Errorf("the log does not tell why:\n%s", s.log)
	}
}

func TestServeLogsJSON(t *testing.T) {
	r := newRig(t, "colours")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var log lockedbuffer.Buffer
	go func() {
		for !strings.Contains(log.String(), `"msg":"ready"`) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	a := &app{open: r.open, stdout: io.Discard, stderr: &log}
	args := []string{"serve", "--models", r.models, "--grpc", "127.0.0.1:0", "--http", "", "--log-format", "json", "--log-level", "debug"}
	if status := a.run(ctx, args); status != statusGood {
		t.Errorf("exit status %d:\n%s", status, log.String())
	}
	seen := map[string]map[string]any{}
	for line := range strings.SplitSeq(strings.TrimSpace(log.String()), "\n") {
		var entry map[string]any
		must(t, json.Unmarshal([]byte(line), &entry))
		seen[entry["msg"].(string)] = entry
	}
	if ready := seen["ready"]; ready == nil || ready["models"] != "colours" || ready["http"] != "none" || !strings.HasPrefix(ready["grpc"].(string), "127.0.0.1:") {
		t.Errorf("no line tells that it is ready:\n%s", log.String())
	}
	if seen["stopping"] == nil {
		t.Errorf("no line tells of the stop:\n%s", log.String())
	}
}

// A stop lets the calls under way finish.
func TestStopFinishesCalls(t *testing.T) {
	r := newRig(t, "colours")
	running, release := make(chan struct{}, 1), make(chan struct{})
	r.beforeRun = func(context.Context) error {
		running <- struct{}{}
		<-release
		return nil
	}
	s := r.serve("--models", r.models)
	s.wait("msg=ready")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	answered := make(chan outcome, 1)
	go func() { answered <- r.run("predict", picture, "--server", s.grpc) }()
	<-running
	s.stop()
	s.wait("msg=stopping")
	if ready := s.probe("/readyz"); ready != 503 {
		t.Errorf("while stopping: readyz %d", ready)
	}
	close(release)
	if o := <-answered; !strings.Contains(o.stdout, "red    0.993") {
		t.Errorf("the call under way was not answered: %+v", o)
	}
	s.ended(statusGood)
}
