package telemetry

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service/grpcserver"
)

func cores() int { return runtime.GOMAXPROCS(0) }

// BenchmarkInterceptors is what telemetry adds to a call: its interceptors around a handler that reports the phases of a
// prediction and does nothing else. Without an endpoint for traces and without load reports there is no other cost.
func BenchmarkInterceptors(b *testing.B) {
	t := New(Options{})
	t.ModelChanged(explaind.ModelStatus{Name: "m", Versions: []explaind.VersionStatus{{Version: 1, State: explaind.ModelReady}}})
	t.Watch(Sources{})
	var server grpcserver.Options
	if err := t.Instrument(&server); err != nil {
		b.Fatal(err)
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/explaind.v1.ExplainService/Predict"}
	response := &pb.PredictResponse{}
	handler := grpc.UnaryHandler(func(ctx context.Context, _ any) (any, error) {
		work(ctx)
		return response, nil
	})
	for _, interceptor := range slices.Backward(server.Outer.Unary) {
		inner := handler
		handler = func(ctx context.Context, req any) (any, error) { return interceptor(ctx, req, info, inner) }
	}
	ctx := grpc.NewContextWithServerTransportStream(context.Background(), transport{})
	request := &pb.PredictRequest{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := handler(ctx, request); err != nil {
			b.Fatal(err)
		}
	}
}

// work tells of the phases of a prediction.
func work(ctx context.Context) {
	explaind.ObserverOf(ctx).Answers(explaind.ModelRef{Name: "m", Version: 1})
	began := time.Now()
	for _, phase := range []explaind.Phase{explaind.PhaseQueue, explaind.PhaseDecode, explaind.PhaseBatch, explaind.PhaseForward} {
		explaind.Observe(ctx, phase, began, 1)
	}
}

// transport is that of a call that goes nowhere.
type transport struct{ grpc.ServerTransportStream }

func (transport) Method() string { return "/explaind.v1.ExplainService/Predict" }

// BenchmarkCall is a whole call of a model that costs next to nothing, through memory: without telemetry, with it, with
// load reports, and with each call traced.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct {
		name string
		setup
	}{
		{"none", setup{none: true}},
		{"metrics", setup{}},
		{"load reports", setup{options: Options{ORCA: true}}},
		{"traces of none", setup{exporter: tracetest.NewNoopExporter(), options: Options{Ratio: 0}}},
		{"traces of all", setup{exporter: tracetest.NewNoopExporter(), options: Options{Ratio: 1}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.quiet = true
			r := start(b, c.setup)
			request := &pb.PredictRequest{Image: picture(b)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Predict(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
