package service_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serviceOf is a service of one model; the repository checks at the end that every handle was released.
func serviceOf(t *testing.T, m explaind.Model, o service.Options) *service.Service {
	t.Helper()
	return service.New(fakerepo.New(t, map[string]explaind.Model{"m": m}), o)
}

// pixels is a UINT8 picture whose values run through all bytes.
func pixels(height, width int) service.Image {
	data := make([]byte, 3*height*width)
	for i := range data {
		data[i] = byte(7 * i)
	}
	return service.Image{Tensor: &service.Tensor{Shape: []int64{int64(height), int64(width), 3}, DType: service.UInt8, Data: data}}
}

func floats(height, width int, values ...float32) service.Image {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return service.Image{Tensor: &service.Tensor{Shape: []int64{int64(height), int64(width), 3}, DType: service.Float32, Data: data}}
}

func reason(err error) string {
	if err == nil {
		return "OK"
	}
	return explaind.AsError(err).Reason
}

// No more images are worked on at once than there are places, decoding included; the others wait and are answered.
func TestPlaces(t *testing.T) {
	const places, callers = 3, 30
	m := fakemodel.New(4, "a", "b")
	started, release := make(chan struct{}, callers), make(chan struct{})
	m.BeforeRun = func(context.Context) error {
		started <- struct{}{}
		<-release
		return nil
	}
	s := serviceOf(t, m, service.Options{MaxInFlight: places})
	if s.MaxInFlight() != places {
		t.Errorf("MaxInFlight is %d", s.MaxInFlight())
	}
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)})
			} else {
				_, err = s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range places {
		<-started
	}
	time.Sleep(50 * time.Millisecond)
	if m.Runs() != places {
		t.Errorf("%d run, %d places", m.Runs(), places)
	}
	close(release)
	all.Wait()
	if m.Runs() != callers || m.Peak() > places {
		t.Errorf("%d runs, at most %d at once", m.Runs(), m.Peak())
	}
}

// The time that a request waited is its queue time.
func TestQueueTime(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	const busy = 50 * time.Millisecond
	started := make(chan struct{}, 2)
	m.BeforeRun = func(context.Context) error {
		started <- struct{}{}
		time.Sleep(busy)
		return nil
	}
	s := serviceOf(t, m, service.Options{MaxInFlight: 1})
	var first sync.WaitGroup
	first.Go(func() { s.Predict(t.Context(), &service.PredictRequest{Image: pixels(4, 4)}) })
	<-started
	answer, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4)})
	first.Wait()
	if err != nil {
		t.Fatal(err)
	}
	x := answer.Timing
	if x.Queue < busy/2 || x.Run < busy || x.Total < x.Queue+x.Decode+x.Run+x.Render {
		t.Errorf("timing is %+v", x)
	}
}

// Every way out of a request gives its place and its handle back: with one place, the next one is answered.
func TestPlacesAreGivenBack(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	var before func(context.Context) error
	m.BeforeRun = func(ctx context.Context) error { return before(ctx) }
	s := serviceOf(t, m, service.Options{MaxInFlight: 1, MaxMapPixels: 100})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	fine := func(context.Context) error { return nil }
	large := service.ExplainConfig{Targets: make([]service.Target, 7)}
	for what, c := range map[string]struct {
		ctx    context.Context
		before func(context.Context) error
		image  service.Image
		config service.ExplainConfig
		want   string
	}{
		"answered":       {t.Context(), fine, pixels(4, 4), service.ExplainConfig{}, "OK"},
		"gone":           {cancelled, fine, pixels(4, 4), service.ExplainConfig{}, "CANCELED"},
		"no image":       {t.Context(), fine, service.Image{}, service.ExplainConfig{}, "IMAGE_REQUIRED"},
		"bad config":     {t.Context(), fine, pixels(4, 4), service.ExplainConfig{TopK: -1}, "BAD_TOP_K"},
		"too large":      {t.Context(), fine, pixels(4, 4), large, "TOO_MANY_EXPLANATIONS"},
		"failing model":  {t.Context(), func(context.Context) error { return errors.New("oh") }, pixels(4, 4), service.ExplainConfig{}, "INTERNAL"},
		"panicing model": {t.Context(), func(context.Context) error { panic("oh") }, pixels(4, 4), service.ExplainConfig{}, "PANIC"},
	} {
		t.Run(what, func(t *testing.T) {
			before = c.before
			got := func() (r string) {
				defer func() {
					if recover() != nil {
						r = "PANIC"
					}
				}()
				_, err := s.Explain(c.ctx, &service.ExplainRequest{Image: c.image, Config: c.config})
				return reason(err)
			}()
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			before = fine
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := s.Predict(ctx, &service.PredictRequest{Image: pixels(4, 4)}); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// expiring is a context whose deadline is found to have passed at the n-th look.
type expiring struct {
	context.Context
	looks *int
}

func (e expiring) Err() error {
	if *e.looks--; *e.looks < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// A deadline is looked at before each step that costs something. The error names the phase in which it passed, and the
// model does not run for nobody.
func TestDeadlines(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	s := serviceOf(t, m, service.Options{})
	// Two scores are two runs, and two maps.
	config := service.ExplainConfig{Methods: []explaind.Method{explaind.MethodGradCAM, explaind.MethodArticleGradCAM}}
	for what, c := range map[string]struct {
		call func(context.Context) error
		want []string // phase and runs, for a deadline that passes at the first look, the second, …
	}{
		"Predict": {func(ctx context.Context) error {
			_, err := s.Predict(ctx, &service.PredictRequest{Image: pixels(4, 4)})
			return err
		}, []string{"QUEUE 0", "DECODE 0", "answered 1"}},
		"Explain": {func(ctx context.Context) error {
			_, err := s.Explain(ctx, &service.ExplainRequest{Image: pixels(4, 4), Config: config})
			return err
		}, []string{"QUEUE 0", "DECODE 0", "RUN 1", "RENDER 2", "RENDER 2", "answered 2"}},
	} {
		for looks, want := range c.want {
			before := m.Runs()
			err := c.call(expiring{t.Context(), &looks})
			got := "answered"
			if err != nil {
				e := explaind.AsError(err)
				if e.Code != explaind.DeadlineExceeded || e.Reason != "DEADLINE_EXCEEDED" {
					t.Errorf("%s: %v", what, err)
				}
				got = e.Metadata["phase"]
			}
			if got = fmt.Sprintf("%s %d", got, m.Runs()-before); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
	}
}

// Methods share a run of the model where their gradients are of the same score; methods without gradients share any.
func TestRuns(t *testing.T) {
	const (
		cam, grad, pp, article = explaind.MethodCAM, explaind.MethodGradCAM, explaind.MethodGradCAMPlusPlus, explaind.MethodArticleGradCAM
		logit, probability     = explaind.ScoreLogit, explaind.ScoreProbability
	)
	m := fakemodel.New(4, "a", "b", "c")
	s := serviceOf(t, m, service.Options{})
	for _, c := range []struct {
		methods []explaind.Method
		score   explaind.Score
		runs    int
	}{
		{nil, logit, 1},
		{[]explaind.Method{cam}, probability, 1},
		{[]explaind.Method{cam, grad, pp}, logit, 1},
		{[]explaind.Method{article, grad}, probability, 1},
		{[]explaind.Method{article, cam, cam}, logit, 1},
		{[]explaind.Method{article, grad, cam}, logit, 2},
	} {
		before := m.Runs()
		targets := []service.Target{{}, {Rank: ptr(2)}, {Class: ptr(0)}}
		answer, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4), Config: service.ExplainConfig{Methods: c.methods, Score: c.score, Targets: targets}})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Runs() - before; got != c.runs {
			t.Errorf("%v of score %v: %d runs, want %d", c.methods, c.score, got, c.runs)
		}
		var order []explaind.Method
		for _, x := range answer.Explanations[:max(len(c.methods), 1)] {
			order = append(order, x.Method)
		}
		if c.methods != nil && !slices.Equal(order, c.methods) {
			t.Errorf("%v are answered as %v", c.methods, order)
		}
	}
}

// recorder remembers what a model was asked.
type recorder struct {
	*fakemodel.Model
	asked [][]explaind.Target
}

func (r *recorder) Explain(ctx context.Context, q *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	r.asked = append(r.asked, q.Targets[0])
	return r.Model.Explain(ctx, q)
}

// The second run explains the classes that the first one found: ranks cannot turn out otherwise. Green is class 1.
func TestSecondRunExplainsTheSameClasses(t *testing.T) {
	m := &recorder{Model: fakemodel.New(2, "red", "green", "blue")}
	s := serviceOf(t, m, service.Options{})
	config := service.ExplainConfig{
		Methods: []explaind.Method{explaind.MethodGradCAM, explaind.MethodArticleGradCAM},
		Targets: []service.Target{{}, {Rank: ptr(1), Versus: ptr(0)}, {Label: ptr("blue")}},
	}
	if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: floats(2, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0), Config: config}); err != nil {
		t.Fatal(err)
	}
	want := [][]explaind.Target{
		{{Rank: 1, Versus: -1}, {Rank: 1, Versus: 0}, {Class: 2, Versus: -1}},
		{{Class: 1, Versus: -1}, {Class: 1, Versus: 0}, {Class: 2, Versus: -1}},
	}
	if !reflect.DeepEqual(m.asked, want) {
		t.Errorf("the model was asked for %v, want %v", m.asked, want)
	}
}

// Each bound lets pass what reaches it and refuses one more, before the model runs.
func TestBounds(t *testing.T) {
	const size = 8 // layers 4×4×3
	targets := func(n int) []service.Target { return make([]service.Target, n) }
	layer := service.Rendering{Resolution: service.ResolutionLayer}
	for _, c := range []struct {
		what    string
		options service.Options
		image   service.Image
		good    service.ExplainConfig
		bad     service.ExplainConfig
	}{
		{"explanations", service.Options{MaxExplanations: 3}, pixels(8, 8), service.ExplainConfig{Targets: targets(3)}, service.ExplainConfig{Targets: targets(4)}},
		{"explanations by product", service.Options{MaxExplanations: 8}, pixels(8, 8),
			service.ExplainConfig{Layers: make([]string, 2), Methods: []explaind.Method{"cam", "grad_cam"}, Targets: targets(2)},
			service.ExplainConfig{Layers: make([]string, 3), Methods: []explaind.Method{"cam", "grad_cam"}, Targets: targets(2)}},
		{"map pixels", service.Options{MaxMapPixels: 3 * 64}, pixels(8, 8), service.ExplainConfig{Targets: targets(3)}, service.ExplainConfig{Targets: targets(4)}},
		{"map pixels at the picture's size", service.Options{MaxMapPixels: 3 * 200}, pixels(10, 20),
			service.ExplainConfig{Targets: targets(3), Rendering: service.Rendering{Resolution: service.ResolutionOriginal}},
			service.ExplainConfig{Targets: targets(4), Rendering: service.Rendering{Resolution: service.ResolutionOriginal}}},
		{"map pixels with a figure", service.Options{MaxMapPixels: 3 * 64}, pixels(8, 8), // a map and two panels a target
			service.ExplainConfig{Rendering: service.Rendering{ComparisonPNG: true}},
			service.ExplainConfig{Targets: targets(2), Rendering: service.Rendering{ComparisonPNG: true}}},
		{"map pixels of overlays at the layer's size", service.Options{MaxMapPixels: 64}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(9), Rendering: layer},
			service.ExplainConfig{Targets: targets(2), Rendering: service.Rendering{Resolution: service.ResolutionLayer, OverlayPNG: true}}},
		{"evidence", service.Options{MaxEvidence: 48 * 4}, pixels(8, 8), // activations, and gradients for three targets
			service.ExplainConfig{Targets: targets(3), Rendering: layer}, service.ExplainConfig{Targets: targets(4), Rendering: layer}},
		{"evidence of two scores", service.Options{MaxEvidence: 48 * 5}, pixels(8, 8),
			service.ExplainConfig{Targets: targets(2), Methods: []explaind.Method{"grad_cam", "article_grad_cam"}, Rendering: layer},
			service.ExplainConfig{Targets: targets(3), Methods: []explaind.Method{"grad_cam", "article_grad_cam"}, Rendering: layer}},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := fakemodel.New(size, "a", "b")
			s := serviceOf(t, m, c.options)
			if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: c.image, Config: c.good}); err != nil {
				t.Errorf("what reaches the bound: %v", err)
			}
			before := m.Runs()
			_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: c.image, Config: c.bad})
			if e := explaind.AsError(err); err == nil || e.Reason != "TOO_MANY_EXPLANATIONS" || e.Field != "config" || m.Runs() != before {
				t.Errorf("one more: %v, %d runs", err, m.Runs()-before)
			}
		})
	}
}

// The product of three long lists overflows 64 bits to nothing.
func TestCountDoesNotOverflow(t *testing.T) {
	s := serviceOf(t, fakemodel.New(4, "a"), service.Options{})
	_, err := s.NewExplainer(service.Selector{}, &service.ExplainConfig{
		Methods: make([]explaind.Method, 1<<22), Layers: make([]string, 1<<22), Targets: make([]service.Target, 1<<20),
	})
	if reason(err) != "TOO_MANY_EXPLANATIONS" {
		t.Errorf("2⁶⁴ explanations: %v", err)
	}
}

func TestImageBounds(t *testing.T) {
	m := fakemodel.New(4, "a", "b")
	m.Spec().Input.Height, m.Spec().Input.Width = 0, 0
	s := serviceOf(t, m, service.Options{MaxInputPixels: 60, Images: imaging.Limits{MaxPixels: 100, MaxBytes: 10}})
	for what, c := range map[string]struct {
		image service.Image
		want  string
		field string
	}{
		"largest input":          {pixels(6, 10), "OK", ""},
		"larger":                 {pixels(61, 1), "INPUT_TOO_LARGE", "image.tensor"},
		"larger than a picture":  {pixels(101, 1), "IMAGE_TOO_LARGE", "image.tensor.shape"},
		"larger FLOAT32":         {floats(61, 1, make([]float32, 183)...), "INPUT_TOO_LARGE", "image.tensor.shape"},
		"too many bytes":         {service.Image{Encoded: make([]byte, 11)}, "IMAGE_TOO_LARGE", "image.encoded"},
		"bytes that are no file": {service.Image{Encoded: make([]byte, 10)}, "UNSUPPORTED_FORMAT", "image.encoded"},
	} {
		_, err := s.Predict(t.Context(), &service.PredictRequest{Image: c.image})
		if reason(err) != c.want || err != nil && explaind.AsError(err).Field != c.field {
			t.Errorf("%s: %v, want %s at %s", what, err, c.want, c.field)
		}
	}
}

func TestDefaults(t *testing.T) {
	s := serviceOf(t, fakemodel.New(4, "a"), service.Options{})
	if s.MaxInFlight() != runtime.GOMAXPROCS(0) {
		t.Errorf("MaxInFlight is %d", s.MaxInFlight())
	}
	// 256 explanations pass, one more does not.
	for n, want := range map[int]string{256: "OK", 257: "TOO_MANY_EXPLANATIONS"} {
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4), Config: service.ExplainConfig{Targets: make([]service.Target, n)}})
		if reason(err) != want {
			t.Errorf("%d explanations: %v", n, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	repo := fakerepo.New(t, map[string]explaind.Model{"m": fakemodel.New(4, "a"), "n": nil})
	s := service.New(repo, service.Options{})
	d, err := s.Describe(service.Selector{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	gradients := []explaind.Method{"cam", "grad_cam", "grad_cam_plus_plus", "article_grad_cam", "article_grad_cam_plus_plus"}
	if d.Ref.Name != "m" || d.Ref.Version != 1 || len(d.Methods) != 2 || d.Methods[0] != nil || !slices.Equal(d.Methods[1], gradients) {
		t.Errorf("description is %+v", d)
	}
	if len(d.Versions) != 1 || d.Versions[0].State != explaind.ModelReady {
		t.Errorf("versions are %+v", d.Versions)
	}
	if _, err := s.Describe(service.Selector{Model: "n"}); reason(err) != "MODEL_FAILED" {
		t.Errorf("failed model: %v", err)
	}
	if list := s.List(); len(list) != 2 || list[0].Name != "m" || list[1].Versions[0].State != explaind.ModelFailed {
		t.Errorf("list is %+v", list)
	}
}

// One explainer serves many callers, and holds the model until it is closed.
func TestExplainerIsShared(t *testing.T) {
	first := fakemodel.New(4, "a", "b", "c")
	repo := fakerepo.New(t, map[string]explaind.Model{"m": first})
	s := service.New(repo, service.Options{MaxInFlight: 4})
	e, err := s.NewExplainer(service.Selector{}, &service.ExplainConfig{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.NewPredictor(service.Selector{Model: "m", Version: 1}, service.PredictConfig{TopK: 1})
	if err != nil {
		t.Fatal(err)
	}
	repo.Put("m", 2, fakemodel.New(4, "x"))
	repo.Load(t.Context())
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			image := pixels(4, 4)
			explained, err := e.Explain(t.Context(), &image)
			predicted, err2 := p.Predict(t.Context(), &image)
			if err != nil || err2 != nil {
				t.Error(err, err2)
				return
			}
			if explained.Model.Version != 1 || len(predicted.Predictions) != 1 || explained.Predictions[0] != predicted.Predictions[0] {
				t.Errorf("%+v and %+v", explained.Predictions, predicted.Predictions)
			}
		})
	}
	all.Wait()
	if e.Model() != p.Model() || e.Model().Version != 1 {
		t.Errorf("models are %v and %v", e.Model(), p.Model())
	}
	e.Close()
	if first.Closed() {
		t.Error("closed under the predictor")
	}
	p.Close()
	p.Close() // twice is once
	if !first.Closed() {
		t.Error("still open, though nobody uses it")
	}
}

func ptr[T any](v T) *T { return &v }
