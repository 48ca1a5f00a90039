package telemetry

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observed is a model that tells of its runs, as tfmodel does.
type observed struct{ *fakemodel.Model }

func colours() observed { return observed{fakemodel.New(4, "red", "green", "blue")} }

func (m observed) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	began := time.Now()
	p, err := m.Model.Predict(ctx, images)
	explaind.Observe(ctx, explaind.PhaseForward, began, images.Rows())
	return p, err
}

func (m observed) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	began := time.Now()
	x, err := m.Model.Explain(ctx, r)
	explaind.Observe(ctx, explaind.PhaseBackward, began, r.Images.Rows())
	return x, err
}

// rig is a server with telemetry, and a client.
type rig struct {
	pb.ExplainServiceClient
	*Telemetry
	t    testing.TB
	dial []grpc.DialOption // for other clients of the target
	conn *grpc.ClientConn
	repo *fakerepo.Repo
	log  *lockedbuffer.Buffer
	stop context.CancelFunc
	done chan struct{}
}

// target is the server's address for clients with the rig's dial options.
const target = "passthrough:///memory"

// setup is a server to start. The zero value has the model "colours".
type setup struct {
	models   map[string]explaind.Model
	options  Options
	limits   service.Options
	server   grpcserver.Options
	exporter sdk.SpanExporter
	quiet    bool // nothing is logged
	none     bool // there is no telemetry
}

func start(t testing.TB, s setup) *rig {
	t.Helper()
	r := &rig{t: t, log: &lockedbuffer.Buffer{}, done: make(chan struct{})}
	log := slog.New(Marked(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if s.quiet {
		log = slog.New(slog.DiscardHandler)
	}
	if s.models == nil {
		s.models = map[string]explaind.Model{"colours": colours()}
	}
	s.options.Log, s.server.Log, s.options.Version = log, log, "v1.2.3"
	if s.server.Grace == 0 {
		s.server.Grace = 10 * time.Second
	}
	r.Telemetry = New(s.options)
	if !s.none {
		if err := r.Instrument(&s.server); err != nil {
			t.Fatal(err)
		}
		if s.exporter != nil {
			r.trace(s.exporter, &s.server)
		}
	}
	joined := map[string]explaind.Model{}
	for name, m := range s.models {
		if joined[name] = m; m != nil {
			joined[name] = batch.New(m, batch.Options{Ran: r.Ran})
		}
	}
	r.repo = fakerepo.Unloaded(t, joined)
	r.repo.Listen(r.ModelChanged)
	r.repo.Load(t.Context())
	host := grpcserver.New(s.server)
	answers := service.New(r.repo, s.limits)
	native.Register(host.Registrar(), native.New(answers, host.Draining(), log))
	r.Watch(Sources{Load: answers.Stats, MaxInFlight: answers.MaxInFlight(), Models: r.repo.List, TensorBytes: func() int64 { return 4321 }})
	r.Register(host.Registrar())
	listener := bufconn.Listen(1 << 20)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		defer close(r.done)
		if err := host.Serve(ctx, listener); err != nil {
			t.Errorf("serving: %v", err)
		}
	}()
	r.dial = []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	}
	conn, err := grpc.NewClient(target, r.dial...)
	if err != nil {
		t.Fatal(err)
	}
	r.conn, r.ExplainServiceClient = conn, pb.NewExplainServiceClient(conn)
	t.Cleanup(func() {
		conn.Close()
		stop()
		<-r.done
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		r.Close(ctx)
	})
	return r
}

// scraped are the metrics by name.
type scraped map[string]*dto.MetricFamily

// scrape asks for the metrics as Prometheus does.
func (r *rig) scrape() scraped {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		r.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return families
}

// find is the metric of a family with these labels and no others; nil if there is none.
func (s scraped) find(name string, labels ...string) *dto.Metric {
	for _, m := range s[name].GetMetric() {
		if len(m.GetLabel()) != len(labels)/2 {
			continue
		}
		all := true
		for i := 0; i < len(labels); i += 2 {
			found := false
			for _, l := range m.GetLabel() {
				found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
			}
			all = all && found
		}
		if all {
			return m
		}
	}
	return nil
}

// value is that of a counter or gauge; -1 if there is none.
func (s scraped) value(name string, labels ...string) float64 {
	switch m := s.find(name, labels...); {
	case m == nil:
		return -1
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	default:
		return m.GetGauge().GetValue()
	}
}

// count is that of a histogram; -1 if there is none.
func (s scraped) count(name string, labels ...string) int {
	m := s.find(name, labels...)
	if m == nil {
		return -1
	}
	return int(m.GetHistogram().GetSampleCount())
}

// series is how many there are in all metrics of our own.
func (s scraped) series() (n int) {
	for _, f := range s {
		n += len(f.GetMetric())
	}
	return n
}

// picture is a PNG of one colour.
func picture(t testing.TB) *pb.Image {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		m.Set(i%4, i/4, color.NRGBA{R: 255, A: 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return &pb.Image{Source: &pb.Image_Encoded{Encoded: out.Bytes()}}
}

func explainItem(sequence int64, image *pb.Image) *pb.ExplainStreamRequest {
	return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: &pb.ImageItem{Sequence: sequence, Image: image}}}
}

func explainConfig(model string, methods ...pb.Method) *pb.ExplainStreamRequest {
	return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: &pb.ExplainStreamConfig{
		Model: model, Config: &pb.ExplainConfig{Methods: methods},
	}}}
}

// explainAll brings images through a stream and waits for its end.
func (r *rig) explainAll(ctx context.Context, methods []pb.Method, images ...*pb.Image) {
	r.t.Helper()
	stream, err := r.ExplainStream(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	stream.Send(explainConfig("colours", methods...))
	for i, image := range images {
		stream.Send(explainItem(int64(i), image))
	}
	stream.CloseSend()
	for {
		m, err := stream.Recv()
		if err != nil {
			r.t.Fatal(err)
		}
		if m.GetSummary() != nil {
			break
		}
	}
	if _, err := stream.Recv(); err == nil { // wait for the status
		r.t.Fatal("the stream goes on")
	}
}

// settled waits for what happens on the server after the client has its answer.
func settled(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen in 10 s", what)
		}
	}
}
