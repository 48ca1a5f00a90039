package telemetry

import (
	"math"
	"time"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/explaind/explaind"
)

// Load reports as the ORCA standard has them, for gRPC's policy weighted_round_robin and others like it: in the trailers of
// each call, and as a stream for clients that want to hear of the load between calls. The messages are those of
// xds.data.orca.v3 and xds.service.orca.v3; the few fields are written here, because the package of their generated code
// brings much of Envoy with it.

const (
	reportTrailer = "endpoint-load-metrics-bin"

	// leastInterval is how often a client may hear at most, as gRPC's own service has it.
	leastInterval = 30 * time.Second
)

// The numbers of OrcaLoadReport's fields.
const (
	fieldCPU         = 1
	fieldNamed       = 8
	fieldApplication = 9
)

// fieldInterval is the number of OrcaLoadReportRequest's report_interval.
const fieldInterval = 1

// report is an OrcaLoadReport.
func (l *load) report(queueMillis float64) []byte {
	cpu := l.cpuShare()
	b := appendDouble(nil, fieldCPU, cpu)
	for _, named := range []struct {
		name  string
		value float64
	}{{"queue_ms", queueMillis}, {"cpu", cpu}} {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), named.name)
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldNamed, protowire.BytesType), appendDouble(entry, 2, named.value))
	}
	return appendDouble(b, fieldApplication, l.utilisation())
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(v))
}

// trailer is the report at the end of a call whose images waited so long.
func (l *load) trailer(queued time.Duration) metadata.MD {
	return metadata.Pairs(reportTrailer, string(l.report(float64(queued)/float64(time.Millisecond))))
}

// Register adds the services that the options ask for. Reports end when draining is closed.
func (t *Telemetry) Register(r grpc.ServiceRegistrar, draining <-chan struct{}) {
	if t.options.ORCA {
		r.RegisterService(&orcaService, &reporter{load: &t.load, least: leastInterval, draining: draining})
	}
	if t.options.Channelz {
		channelz.RegisterChannelzServiceToServer(r)
	}
}

// reporter is the service of load reports.
type reporter struct {
	load     *load
	least    time.Duration
	draining <-chan struct{}
}

// orcaService is xds.service.orca.v3.OpenRcaService.
var orcaService = grpc.ServiceDesc{
	ServiceName: "xds.service.orca.v3.OpenRcaService",
	HandlerType: (*any)(nil),
	Metadata:    "xds/service/orca/v3/orca.proto",
	Streams: []grpc.StreamDesc{{
		StreamName: "StreamCoreMetrics", ServerStreams: true,
		Handler: func(r any, wire grpc.ServerStream) error { return r.(*reporter).serve(wire) },
	}},
}

var errStopping = &explaind.Error{Code: explaind.Unavailable, Reason: "SERVER_DRAINING", Message: "the server is stopping; ask another one"}

// serve sends a report now, and again and again until the client leaves or the server stops.
func (r *reporter) serve(wire grpc.ServerStream) error {
	request := &emptypb.Empty{} // a message keeps the fields that it does not know as they came
	if err := wire.RecvMsg(request); err != nil {
		return err
	}
	ticker := time.NewTicker(max(intervalOf(request.ProtoReflect().GetUnknown()), r.least))
	defer ticker.Stop()
	for {
		report := &emptypb.Empty{}
		report.ProtoReflect().SetUnknown(r.load.report(r.load.queueMillis()))
		if err := wire.SendMsg(report); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-r.draining:
			return errStopping
		case <-wire.Context().Done():
			return explaind.FromContext(wire.Context())
		}
	}
}

// intervalOf is the report_interval of an OrcaLoadReportRequest; 0 if there is none that is understood.
func intervalOf(request []byte) time.Duration {
	for len(request) > 0 {
		number, kind, tag := protowire.ConsumeTag(request)
		if tag < 0 {
			return 0
		}
		value := protowire.ConsumeFieldValue(number, kind, request[tag:])
		if value < 0 {
			return 0
		}
		if number == fieldInterval && kind == protowire.BytesType {
			bytes, _ := protowire.ConsumeBytes(request[tag:])
			interval := &durationpb.Duration{}
			if proto.Unmarshal(bytes, interval) == nil {
				return interval.AsDuration()
			}
		}
		request = request[tag+value:]
	}
	return 0
}
