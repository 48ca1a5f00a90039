package telemetry

import (
	"context"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// loadReport is an OrcaLoadReport as a client reads it.
type loadReport struct {
	cpu, application float64
	named            map[string]float64
}

// readReport is written after the message's definition: cpu_utilization = 1, named_metrics = 8, a map, and
// application_utilization = 9.
func readReport(t *testing.T, b []byte) (r loadReport) {
	t.Helper()
	r.named = map[string]float64{}
	fields(t, b, func(number protowire.Number, double float64, bytes []byte) {
		switch number {
		case 1:
			r.cpu = double
		case 9:
			r.application = double
		case 8:
			var key string
			var value float64
			fields(t, bytes, func(number protowire.Number, double float64, bytes []byte) {
				if number == 1 {
					key = string(bytes)
				} else {
					value = double
				}
			})
			r.named[key] = value
		default:
			t.Errorf("field %d", number)
		}
	})
	return r
}

func fields(t *testing.T, b []byte, each func(number protowire.Number, double float64, bytes []byte)) {
	t.Helper()
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("no tag in %x", b)
		}
		b = b[n:]
		switch kind {
		case protowire.Fixed64Type:
			v, n := protowire.ConsumeFixed64(b)
			each(number, math.Float64frombits(v), nil)
			b = b[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			each(number, 0, v)
			b = b[n:]
		default:
			t.Fatalf("field %d has the type %d", number, kind)
		}
	}
}

// heldModel is one whose runs wait.
func heldModel() (m observed, entered, release chan struct{}) {
	m, entered, release = colours(), make(chan struct{}, 100), make(chan struct{})
	m.BeforeRun = func(context.Context) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	return m, entered, release
}

// A call's trailer tells how busy the server was, failed calls included, and how long the call waited.
func TestReportsInTrailers(t *testing.T) {
	held, entered, release := heldModel()
	r := start(t, setup{models: map[string]explaind.Model{"colours": held}, options: Options{ORCA: true}, limits: service.Options{MaxInFlight: 4}})
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := r.Predict(t.Context(), &pb.PredictRequest{Image: picture(t)})
			done <- err
		}()
	}
	settled(t, "two are in flight", func() bool { return r.scrape().value("explaind_inflight") == 2 })
	var trailer metadata.MD
	for _, call := range []func() error{
		func() error {
			_, err := r.ListModels(t.Context(), &pb.ListModelsRequest{}, grpc.Trailer(&trailer))
			return err
		},
		func() error {
			_, err := r.Predict(t.Context(), &pb.PredictRequest{Model: "gone"}, grpc.Trailer(&trailer))
			if status.Code(err) == codes.NotFound {
				err = nil
			}
			return err
		},
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
		reports := trailer.Get("endpoint-load-metrics-bin")
		if len(reports) != 1 {
			t.Fatalf("%d reports", len(reports))
		}
		got := readReport(t, []byte(reports[0]))
		if got.application != 0.5 || got.cpu < 0 || got.named["cpu"] != got.cpu || got.named["queue_ms"] != 0 || len(got.named) != 2 {
			t.Errorf("the report is %+v", got)
		}
	}
	<-entered
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: picture(t)}, grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	got := readReport(t, []byte(trailer.Get("endpoint-load-metrics-bin")[0]))
	if got.named["queue_ms"] <= 0 || got.named["queue_ms"] > 5000 {
		t.Errorf("the call waited %v ms", got.named["queue_ms"])
	}
}

// subscribe asks for reports between calls.
func (r *rig) subscribe(ctx context.Context) grpc.ClientStream {
	r.t.Helper()
	stream, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		r.t.Fatal(err)
	}
	stream.CloseSend()
	return stream
}

// Reports come at once and again and again, until the server stops, which they do not hold up.
func TestReportsAsAService(t *testing.T) {
	r := start(t, setup{options: Options{ORCA: true}, limits: service.Options{MaxInFlight: 4}})
	stream := r.subscribe(t.Context())
	m := &emptypb.Empty{}
	if err := stream.RecvMsg(m); err != nil {
		t.Fatal(err)
	}
	if got := readReport(t, m.ProtoReflect().GetUnknown()); got.application != 0 || len(got.named) != 2 {
		t.Errorf("the report is %+v", got)
	}
	began := time.Now()
	r.stop()
	if err := stream.RecvMsg(m); status.Code(err) != codes.Unavailable {
		t.Errorf("the reports end with %v", err)
	}
	<-r.done
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

func TestReportsComeAgain(t *testing.T) {
	sent := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	r := &reporter{load: &load{}, least: time.Millisecond, draining: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- r.serve(wire{ctx: ctx, sent: sent}) }()
	for range 5 {
		<-sent
	}
	cancel()
	if err := <-done; explaind.AsError(err).Code != explaind.Canceled {
		t.Errorf("it ends with %v", err)
	}
}

// wire is a stream whose client asks for the least.
type wire struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan<- struct{}
}

func (w wire) Context() context.Context { return w.ctx }
func (w wire) RecvMsg(any) error        { return nil }
func (w wire) SendMsg(any) error {
	select {
	case w.sent <- struct{}{}:
	default:
	}
	return nil
}

func TestIntervalOf(t *testing.T) {
	minute, err := proto.Marshal(durationpb.New(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	interval := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), minute)
	named := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "cost")
	for _, c := range []struct {
		request []byte
		want    time.Duration
	}{
		{nil, 0},
		{interval, time.Minute},
		{append(append([]byte{}, named...), interval...), time.Minute},
		{named, 0},
		{interval[:3], 0},
		{[]byte{0xff}, 0},
		{protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 5), 0},
	} {
		if got := intervalOf(c.request); got != c.want {
			t.Errorf("%x is %v, want %v", c.request, got, c.want)
		}
	}
}

// Without the options there is neither service, and no trailer.
func TestServicesAreOff(t *testing.T) {
	r := start(t, setup{})
	var trailer metadata.MD
	if _, err := r.ListModels(t.Context(), &pb.ListModelsRequest{}, grpc.Trailer(&trailer)); err != nil || len(trailer.Get("endpoint-load-metrics-bin")) != 0 {
		t.Errorf("%v, the trailer is %v", err, trailer)
	}
	if err := r.subscribe(t.Context()).RecvMsg(&emptypb.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("reports: %v", err)
	}
	if _, err := grpc_channelz_v1.NewChannelzClient(r.conn).GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("channelz: %v", err)
	}
}

func TestChannelz(t *testing.T) {
	r := start(t, setup{options: Options{Channelz: true}})
	got, err := grpc_channelz_v1.NewChannelzClient(r.conn).GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	if err != nil || len(got.GetServer()) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// The mean wait follows the waits, and fades when there are no more.
func TestQueueMillis(t *testing.T) {
	var l load
	if got := l.queueMillis(); got != 0 {
		t.Errorf("before any: %v", got)
	}
	for range 100 {
		l.waited(20 * time.Millisecond)
	}
	if got := l.queueMillis(); got < 19 || got > 20 {
		t.Errorf("after many of 20 ms: %v", got)
	}
	l.waitAt = l.waitAt.Add(-waitMemory)
	if got, want := l.queueMillis(), 20/math.E; math.Abs(got-want) > 0.5 {
		t.Errorf("a while later: %v, want %v", got, want)
	}
}

// A busy second is seen, however the threads were started.
func TestCPUShare(t *testing.T) {
	var l load
	if got := l.cpuShare(); got != 0 {
		t.Errorf("at first: %v", got)
	}
	l.cpu.at = l.cpu.at.Add(-10 * time.Second)
	l.cpu.spent -= 10 * time.Second // as if it had worked on one core for ten seconds
	got := l.cpuShare()
	if want := 1 / float64(cores()); got < 0.8*want || got > 2 {
		t.Errorf("after ten seconds of work: %v, want about %v", got, want)
	}
	if again := l.cpuShare(); again != got {
		t.Errorf("it is measured anew: %v, then %v", got, again)
	}
}
