package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

const (
	rpcPredict       = "explaind.v1.ExplainService/Predict"
	rpcExplain       = "explaind.v1.ExplainService/Explain"
	rpcExplainStream = "explaind.v1.ExplainService/ExplainStream"
)

// traffic is known: 3 predictions, one of no picture and one of no model; 2 explanations by 2 methods; a stream of 5 images,
// one of which is no picture.
func (r *rig) traffic() {
	ctx := r.t.Context()
	image, broken := picture(r.t), &pb.Image{Source: &pb.Image_Encoded{Encoded: []byte("no picture")}}
	for range 3 {
		if _, err := r.Predict(ctx, &pb.PredictRequest{Image: image}); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, q := range []*pb.PredictRequest{{Image: broken}, {Image: image, Model: "gone"}} {
		if _, err := r.Predict(ctx, q); err == nil {
			r.t.Fatal("no error")
		}
	}
	methods := []pb.Method{pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_LAYER_CAM}
	for range 2 {
		if _, err := r.Explain(ctx, &pb.ExplainRequest{Image: image, Config: &pb.ExplainConfig{Methods: methods}}); err != nil {
			r.t.Fatal(err)
		}
	}
	r.explainAll(ctx, methods[:1], image, image, broken, image, image)
	settled(r.t, "all calls are counted", func() bool {
		return r.scrape().value("explaind_requests_total", "rpc", rpcExplainStream, "code", "OK", "reason", "") == 1
	})
}

func TestMetricsOfKnownTraffic(t *testing.T) {
	r := start(t, setup{})
	if _, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.traffic()
	took := time.Since(began).Seconds()
	got := r.scrape()
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{3, "requests_total", []string{"rpc", rpcPredict, "code", "OK", "reason", ""}},
		{1, "requests_total", []string{"rpc", rpcPredict, "code", "InvalidArgument", "reason", "UNSUPPORTED_FORMAT"}},
		{1, "requests_total", []string{"rpc", rpcPredict, "code", "NotFound", "reason", "MODEL_NOT_FOUND"}},
		{2, "requests_total", []string{"rpc", rpcExplain, "code", "OK", "reason", ""}},
		{1, "requests_total", []string{"rpc", rpcExplainStream, "code", "OK", "reason", ""}},
		{4, "items_total", []string{"rpc", rpcExplainStream, "code", "OK", "reason", ""}},
		{1, "items_total", []string{"rpc", rpcExplainStream, "code", "InvalidArgument", "reason", "UNSUPPORTED_FORMAT"}},
		{3, "answers_total", []string{"model", "colours", "version", "1", "rpc", rpcPredict, "code", "OK"}},
		{1, "answers_total", []string{"model", "colours", "version", "1", "rpc", rpcPredict, "code", "InvalidArgument"}},
		{2, "answers_total", []string{"model", "colours", "version", "1", "rpc", rpcExplain, "code", "OK"}},
		{4, "answers_total", []string{"model", "colours", "version", "1", "rpc", rpcExplainStream, "code", "OK"}},
		{6, "explanations_total", []string{"method", "grad_cam"}}, // 2 + 4
		{2, "explanations_total", []string{"method", "layer_cam"}},
		{0, "queue_depth", nil},
		{0, "inflight", nil},
		{0, "streams", nil},
		{4321, "tensor_bytes", nil},
		{1, "model_state", []string{"model", "colours", "version", "1", "state", "ready"}},
		{0, "model_state", []string{"model", "colours", "version", "1", "state", "failed"}},
		{1, "model_reload_total", []string{"model", "colours", "result", "ok"}},
		{0, "shed_total", []string{"reason", "queue_full"}},
	} {
		if v := got.value("explaind_"+want.name, want.labels...); v != want.value {
			t.Errorf("%s %v is %v, want %v", want.name, want.labels, v, want.value)
		}
	}
	if len(got["explaind_requests_total"].GetMetric()) != 5 {
		t.Errorf("other requests are counted too: %v", got["explaind_requests_total"])
	}
	// Every image that was decoded was rendered if it was explained; the two that are no pictures never came so far.
	for _, want := range []struct {
		count  int
		name   string
		labels []string
	}{
		{9, "decode_seconds", nil},
		{6, "render_seconds", nil},
		{5, "item_seconds", []string{"rpc", rpcExplainStream}},
		{9, "batch_wait_seconds", []string{"model", "colours", "version", "1"}},
		{3, "run_seconds", []string{"model", "colours", "version", "1", "phase", "forward"}},
		{6, "run_seconds", []string{"model", "colours", "version", "1", "phase", "backward"}},
	} {
		if n := got.count("explaind_"+want.name, want.labels...); n != want.count {
			t.Errorf("%s %v has %d, want %d", want.name, want.labels, n, want.count)
		}
		sum := got.find("explaind_"+want.name, want.labels...).GetHistogram().GetSampleSum()
		if sum <= 0 || sum > took*float64(want.count) {
			t.Errorf("%s %v has the sum %v after %v s", want.name, want.labels, sum, took)
		}
	}
	// Each image waits for a place; those without a picture may be refused before or after that.
	if n := got.count("explaind_queue_wait_seconds"); n < 9 || n > 11 {
		t.Errorf("%d waits", n)
	}
	// All rows ran once: 3 + 2 + 4.
	if h := got.find("explaind_batch_size").GetHistogram(); h.GetSampleSum() != 9 || h.GetSampleCount() > 9 || h.GetSampleCount() < 6 {
		t.Errorf("batches are %v", h)
	}
	if v := got.value("grpc_server_handled_total", "grpc_type", "unary", "grpc_service", "explaind.v1.ExplainService", "grpc_method", "Predict", "grpc_code", "OK"); v != 3 {
		t.Errorf("grpc_server_handled_total is %v", v)
	}
	if n := got.count("grpc_server_handling_seconds", "grpc_type", "unary", "grpc_service", "explaind.v1.ExplainService", "grpc_method", "Explain"); n != 2 {
		t.Errorf("grpc_server_handling_seconds has %d", n)
	}
	if v := got.value("process_resident_memory_bytes"); v < 1<<20 {
		t.Errorf("resident memory is %v", v)
	}
	if b := got["explaind_build_info"]; len(b.GetMetric()) != 1 || !strings.Contains(b.String(), `value:"v1.2.3"`) {
		t.Errorf("build_info is %v", b)
	}
}

// Names, units and helps are as Prometheus wants them.
func TestMetricsLint(t *testing.T) {
	r := start(t, setup{models: map[string]explaind.Model{"colours": colours(), "broken": nil}, limits: service.Options{MaxInFlight: 1}})
	for range 2 { // the model need not be named where there is one
		r.Predict(t.Context(), &pb.PredictRequest{Model: "colours", Image: picture(t)})
	}
	r.Loaded(time.Second, nil)
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if got := r.scrape(); got.value("explaind_model_state", "model", "broken", "version", "1", "state", "failed") != 1 ||
		got.value("explaind_model_reload_total", "model", "broken", "result", "failed") != 1 ||
		got.count("explaind_model_load_seconds", "result", "ok") != 1 {
		t.Error("the model that cannot be loaded is not seen")
	}
}

// What clients send never becomes a label.
func TestCardinalityIsBounded(t *testing.T) {
	r := start(t, setup{quiet: true})
	random := rand.New(rand.NewPCG(1, 2))
	ask := func(n int) {
		for range n {
			name := fmt.Sprintf("model-%x", random.Uint64())
			image := picture(t)
			r.Predict(t.Context(), &pb.PredictRequest{Model: name, Image: image})
			r.Predict(t.Context(), &pb.PredictRequest{VersionLabel: name, Image: image})
			r.Explain(t.Context(), &pb.ExplainRequest{Model: "colours", Image: image, Config: &pb.ExplainConfig{
				Layers: []string{name}, Methods: []pb.Method{pb.Method(random.Int32())},
			}})
			r.conn.Invoke(t.Context(), "/explaind.v1.ExplainService/"+name, &pb.PredictRequest{}, &pb.PredictResponse{})
			r.conn.Invoke(t.Context(), "/"+name+"/Predict", &pb.PredictRequest{}, &pb.PredictResponse{})
			r.Denied("/"+name+"/Predict", explaind.Errorf(explaind.Unauthenticated, "TOKEN_UNKNOWN", "no"))
		}
	}
	ask(10)
	before := r.scrape().series()
	ask(1000)
	if after := r.scrape().series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	if v := r.scrape().value("explaind_requests_total", "rpc", "denied", "code", "Unauthenticated", "reason", "TOKEN_UNKNOWN"); v != 1010 {
		t.Errorf("%v denied calls", v)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	var r reasons
	if r.bounded("") != "" || r.bounded("rude text") != otherReason || r.bounded(strings.Repeat("A", 65)) != otherReason {
		t.Error("what is no reason is taken for one")
	}
	for i := range 2 * maxReasons {
		want := fmt.Sprintf("R%d", i)
		if i >= maxReasons {
			want = otherReason
		}
		if got := r.bounded(fmt.Sprintf("R%d", i)); got != want {
			t.Fatalf("reason %d is %s, want %s", i, got, want)
		}
	}
	if r.bounded("R0") != "R0" {
		t.Error("the first one is forgotten")
	}
}

// What was counted for a version goes with it, and what comes late from it does not bring it back.
func TestVersionsAreForgotten(t *testing.T) {
	r := start(t, setup{})
	for version := range 50 {
		status := explaind.ModelStatus{Name: "swapped", Versions: []explaind.VersionStatus{{Version: int64(version + 1), State: explaind.ModelReady}}}
		r.ModelChanged(status)
		c := &call{}
		c.begin(t.Context(), r.Telemetry, rpcPredict)
		c.Answers(explaind.ModelRef{Name: "swapped", Version: int64(version + 1)})
		c.Observe(explaind.Event{Phase: explaind.PhaseForward, Took: time.Millisecond})
		c.answered(outcome{})
	}
	late := &call{}
	late.begin(t.Context(), r.Telemetry, rpcPredict)
	late.Answers(explaind.ModelRef{Name: "swapped", Version: 3})
	late.Observe(explaind.Event{Phase: explaind.PhaseForward, Took: time.Millisecond})
	late.answered(outcome{})
	got := r.scrape()
	if n := len(got["explaind_run_seconds"].GetMetric()); n != 1 || got.count("explaind_run_seconds", "model", "swapped", "version", "50", "phase", "forward") != 1 {
		t.Errorf("%d versions have runs", n)
	}
	if n := len(got["explaind_answers_total"].GetMetric()); n != 1 {
		t.Errorf("%d versions have answers", n)
	}
	if v := got.value("explaind_model_reload_total", "model", "swapped", "result", "ok"); v != 50 {
		t.Errorf("%v reloads", v)
	}
	r.ModelChanged(explaind.ModelStatus{Name: "swapped"})
	if v := r.scrape().value("explaind_model_reload_total", "model", "swapped", "result", "ok"); v != -1 {
		t.Errorf("a model that is gone has %v reloads", v)
	}
	r.ModelChanged(explaind.ModelStatus{Name: "\xff\xfe", Versions: []explaind.VersionStatus{{Version: 1, State: explaind.ModelFailed}}})
	if v := r.scrape().value("explaind_model_reload_total", "model", "\uFFFD", "result", "failed"); v != 1 {
		t.Errorf("a name that is no text has %v reloads", v)
	}
}

// New files of a version that serves are a reload, whether they replace the old ones or cannot.
func TestReloadsInPlace(t *testing.T) {
	r := start(t, setup{})
	bad := errors.New("no graph")
	for i, step := range []struct {
		digest     string
		err        error
		ok, failed float64
	}{
		{"a", nil, 1, -1},
		{"a", bad, 1, 1},
		{"a", bad, 1, 1}, // nothing new
		{"b", nil, 2, 1},
		{"b", errors.New("no variables"), 2, 2},
	} {
		r.ModelChanged(explaind.ModelStatus{Name: "m", Versions: []explaind.VersionStatus{{Version: 1, State: explaind.ModelReady, Digest: step.digest, Err: step.err}}})
		got := r.scrape()
		ok, failed := got.value("explaind_model_reload_total", "model", "m", "result", "ok"), got.value("explaind_model_reload_total", "model", "m", "result", "failed")
		if ok != step.ok || failed != step.failed {
			t.Errorf("step %d: %v reloads and %v failures, want %v and %v", i, ok, failed, step.ok, step.failed)
		}
	}
}

// Work that is refused because of load is counted by what made the server refuse it. What waits is seen while it waits.
func TestShed(t *testing.T) {
	held := colours()
	entered, release := make(chan struct{}, 100), make(chan struct{})
	held.BeforeRun = func(context.Context) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	r := start(t, setup{models: map[string]explaind.Model{"colours": held}, limits: service.Options{MaxInFlight: 1, MaxQueue: 1}})
	image := picture(t)
	answers := make(chan error, 2)
	ask := func() {
		_, err := r.Predict(t.Context(), &pb.PredictRequest{Image: image})
		answers <- err
	}
	go ask()
	<-entered
	go ask()
	settled(t, "one waits", func() bool { return r.scrape().value("explaind_queue_depth") == 1 })
	if v := r.scrape().value("explaind_inflight"); v != 1 {
		t.Errorf("%v in flight", v)
	}
	if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: image}); status.Code(err) != codes.Unavailable {
		t.Errorf("one too many got %v", err)
	}
	settled(t, "it is counted", func() bool { return r.scrape().value("explaind_shed_total", "reason", "queue_full") == 1 })
	close(release)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	got := r.scrape()
	for _, other := range []string{"deadline", "quota", "draining"} {
		if got.value("explaind_shed_total", "reason", other) != 0 {
			t.Errorf("more was shed: %s", other)
		}
	}
	// The one that waited did so for longer than the other.
	if h := got.find("explaind_queue_wait_seconds").GetHistogram(); h.GetSampleCount() != 2 || h.GetSampleSum() < 1e-3 {
		t.Errorf("the waits are %v", h)
	}
}

func TestShedBy(t *testing.T) {
	for _, c := range []struct {
		err  *explaind.Error
		want string
	}{
		{explaind.Errorf(explaind.Unavailable, "OVERLOADED", "x"), shedQueueFull},
		{explaind.Errorf(explaind.DeadlineExceeded, "DEADLINE_TOO_SHORT", "x"), shedDeadline},
		{&explaind.Error{Code: explaind.DeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Metadata: map[string]string{"phase": "QUEUE"}}, shedDeadline},
		{&explaind.Error{Code: explaind.DeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Metadata: map[string]string{"phase": "RUN"}}, ""},
		{explaind.Errorf(explaind.ResourceExhausted, "CLIENT_LIMIT", "x"), shedQuota},
		{explaind.Errorf(explaind.Unavailable, "SERVER_DRAINING", "x"), shedDraining},
		{explaind.Errorf(explaind.Unavailable, "MODEL_LOADING", "x"), ""},
	} {
		if got := outcomeOf(c.err); got.shed != c.want || got.reason != c.err.Reason {
			t.Errorf("%v is shed by %q, want %q", c.err.Reason, got.shed, c.want)
		}
	}
}

// A stream that breaks leaves no item uncounted.
func TestItemsOfABrokenStream(t *testing.T) {
	held := fakemodel.New(4, "red", "green", "blue")
	entered := make(chan struct{}, 100)
	held.BeforeRun = func(ctx context.Context) error {
		entered <- struct{}{}
		<-ctx.Done()
		return explaind.FromContext(ctx)
	}
	r := start(t, setup{models: map[string]explaind.Model{"colours": held}})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := r.ExplainStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(explainConfig("colours"))
	stream.Recv() // it has started
	stream.Send(explainItem(1, picture(t)))
	stream.Send(explainItem(1, picture(t))) // a duplicate is answered at once
	if m, err := stream.Recv(); err != nil || m.GetError() == nil {
		t.Fatalf("got %v, %v", m, err)
	}
	<-entered
	cancel()
	settled(t, "the stream is counted", func() bool { // with the server's reason or without one: gRPC may notice first
		for _, m := range r.scrape()["explaind_requests_total"].GetMetric() {
			if strings.Contains(m.String(), "ExplainStream") {
				return true
			}
		}
		return false
	})
	got := r.scrape()
	if got.value("explaind_items_total", "rpc", rpcExplainStream, "code", "InvalidArgument", "reason", "DUPLICATE_SEQUENCE") != 1 ||
		got.value("explaind_items_total", "rpc", rpcExplainStream, "code", "Canceled", "reason", "NOT_SENT") != 1 {
		t.Errorf("items are %v", got["explaind_items_total"])
	}
}
