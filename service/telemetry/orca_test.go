package telemetry

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	datapb "github.com/cncf/xds/go/xds/data/orca/v3"
	servicepb "github.com/cncf/xds/go/xds/service/orca/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// reporting is a balancer of one server that hands on what calls report of the load, as gRPC reads it for balancers.
const reporting = "reporting"

func init() {
	balancer.Register(base.NewBalancerBuilder(reporting, pickerBuilder{}, base.Config{}))
}

type pickerBuilder struct{}

func (pickerBuilder) Build(info base.PickerBuildInfo) balancer.Picker {
	for server := range info.ReadySCs {
		return picker{server}
	}
	return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
}

type picker struct{ server balancer.SubConn }

func (p picker) Pick(call balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: p.server, Done: func(done balancer.DoneInfo) {
		if to, ok := call.Ctx.Value(reportKey{}).(*any); ok {
			*to = done.ServerLoad
		}
	}}, nil
}

// reportKey is where the context of a call says where its report goes.
type reportKey struct{}

// reported makes a call and returns its report, nil if there is none.
func (r *rig) reported(call func(context.Context, pb.ExplainServiceClient) error) *datapb.OrcaLoadReport {
	r.t.Helper()
	balanced := grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"` + reporting + `": {}}]}`)
	conn, err := grpc.NewClient(target, append(slices.Clip(r.dial), balanced)...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	var got any
	if err := call(context.WithValue(r.t.Context(), reportKey{}, &got), pb.NewExplainServiceClient(conn)); err != nil {
		r.t.Fatal(err)
	}
	report, ok := got.(*datapb.OrcaLoadReport)
	if !ok {
		r.t.Fatalf("the balancer hears %v", got)
	}
	return report
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
	for name, call := range map[string]func(context.Context, pb.ExplainServiceClient) error{
		"good": func(ctx context.Context, c pb.ExplainServiceClient) error {
			_, err := c.ListModels(ctx, &pb.ListModelsRequest{})
			return err
		},
		"bad": func(ctx context.Context, c pb.ExplainServiceClient) error {
			if _, err := c.Predict(ctx, &pb.PredictRequest{Model: "gone"}); status.Code(err) != codes.NotFound {
				return fmt.Errorf("another model answers: %w", err)
			}
			return nil
		},
		"stream": func(ctx context.Context, c pb.ExplainServiceClient) error {
			stream, err := c.PredictStream(ctx)
			if err != nil {
				return err
			}
			stream.CloseSend()
			for {
				if _, err := stream.Recv(); err != nil {
					return nil // whether it is content with no image does not matter here
				}
			}
		},
	} {
		got := r.reported(call)
		cpu := got.GetCpuUtilization()
		if want := map[string]float64{"cpu": cpu, "queue_ms": 0}; got.GetApplicationUtilization() != 0.5 || cpu < 0 || !maps.Equal(got.GetNamedMetrics(), want) {
			t.Errorf("%s: the report is %v", name, got)
		}
	}
	<-entered
	close(release)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	got := r.reported(func(ctx context.Context, c pb.ExplainServiceClient) error {
		_, err := c.Predict(ctx, &pb.PredictRequest{Image: picture(t)})
		return err
	})
	if queued := got.GetNamedMetrics()["queue_ms"]; queued <= 0 || queued > 5000 {
		t.Errorf("the call waited %v ms", queued)
	}
}

// subscribe asks for reports between calls.
func (r *rig) subscribe(ctx context.Context) servicepb.OpenRcaService_StreamCoreMetricsClient {
	r.t.Helper()
	stream, err := servicepb.NewOpenRcaServiceClient(r.conn).StreamCoreMetrics(ctx, &servicepb.OrcaLoadReportRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

// The first report comes at once. Streams of reports end when the server stops: they do not hold it up.
func TestReportsAsAService(t *testing.T) {
	r := start(t, setup{options: Options{ORCA: true}, limits: service.Options{MaxInFlight: 4}})
	r.load.waited(time.Second)
	stream := r.subscribe(t.Context())
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	named := got.GetNamedMetrics()
	if got.GetApplicationUtilization() != 0 || named["cpu"] != got.GetCpuUtilization() || named["queue_ms"] < 50 || named["queue_ms"] > 100 || len(named) != 2 {
		t.Errorf("the report is %v", got)
	}
	began := time.Now()
	r.stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("the reports end with %v", err)
	}
	<-r.done
	if took := time.Since(began); took > 5*time.Second { // the grace period is longer
		t.Errorf("the stop took %v", took)
	}
}

// Without the options there is neither service, and no trailer.
func TestServicesAreOff(t *testing.T) {
	r := start(t, setup{})
	if got := r.reported(func(ctx context.Context, c pb.ExplainServiceClient) error {
		_, err := c.ListModels(ctx, &pb.ListModelsRequest{})
		return err
	}); got != nil {
		t.Errorf("the report is %v", got)
	}
	if _, err := r.subscribe(t.Context()).Recv(); status.Code(err) != codes.Unimplemented {
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
