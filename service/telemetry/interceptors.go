package telemetry

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service/grpcserver"
)

// label is a method as labels name it. Interceptors see methods that exist only, so there are few.
func label(fullMethod string) string { return strings.TrimPrefix(fullMethod, "/") }

// isHealth tells of probes: they come every few seconds whatever happens, and would make every share of errors look small.
func isHealth(fullMethod string) bool {
	return strings.HasPrefix(fullMethod, "/"+healthpb.Health_ServiceDesc.ServiceName+"/")
}

func (t *Telemetry) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if isHealth(info.FullMethod) {
		return handler(ctx, req)
	}
	c := &call{}
	c.begin(ctx, t, label(info.FullMethod))
	if r, ok := req.(*pb.ExplainRequest); ok {
		c.asked(max(len(r.GetConfig().GetMethods()), 1))
	}
	resp, err := handler(explaind.WithObserver(ctx, c), req)
	t.ended(ctx, c, outcomeOf(err))
	if r, ok := resp.(*pb.ExplainResponse); ok && err == nil {
		t.metrics.explained(r.GetExplanations())
	}
	reportCall(ctx, time.Duration(c.queued.Load()))
	return resp, err
}

// ended counts a call.
func (t *Telemetry) ended(ctx context.Context, c *call, o outcome) {
	t.metrics.requests.WithLabelValues(c.rpc, o.code.String(), t.metrics.reasons.bounded(o.reason)).Inc()
	c.answered(o)
	if c.span != nil {
		c.span.SetAttributes(attrRequest.String(grpcserver.RequestID(ctx)))
		if client := grpcserver.Client(ctx); client != "" {
			c.span.SetAttributes(attrClient.String(client))
		}
	}
}

// Denied counts a call that was refused before any interceptor saw it. What its method is called is the caller's word.
func (t *Telemetry) Denied(_ string, err *explaind.Error) {
	o := outcomeOf(err)
	t.metrics.requests.WithLabelValues(deniedRPC, o.code.String(), t.metrics.reasons.bounded(o.reason)).Inc()
}

// deniedRPC stands for the method of a call that was refused at the door.
const deniedRPC = "denied"

func (t *Telemetry) stream(srv any, wire grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if isHealth(info.FullMethod) {
		return handler(srv, wire)
	}
	s := &stream{open: map[*item]struct{}{}}
	s.begin(wire.Context(), t, label(info.FullMethod))
	err := handler(srv, &observedStream{ServerStream: wire, stream: s, ctx: explaind.WithObserver(wire.Context(), s)})
	s.abandon()
	t.ended(wire.Context(), &s.call, outcomeOf(err))
	reportCall(wire.Context(), 0)
	return err
}

// stream observes a stream: it is an explaind.StreamObserver.
type stream struct {
	call

	mu   sync.Mutex
	open map[*item]struct{}
}

// Item is explaind.StreamObserver's.
func (s *stream) Item(ctx context.Context, sequence int64) (context.Context, func(error)) {
	i := &item{stream: s, sequence: sequence, began: time.Now()}
	if s.span != nil {
		ctx, _ = s.telemetry.traces.tracer.Start(ctx, "item", trace.WithAttributes(attrSequence.Int64(sequence))) //nolint:spancheck // endWith ends it
	}
	i.begin(ctx, s.telemetry, s.rpc)
	s.mu.Lock()
	s.open[i] = struct{}{}
	s.mu.Unlock()
	return context.WithValue(explaind.WithObserver(ctx, i), sequenceKey{}, sequence), i.end
}

func (s *stream) forget(i *item) {
	s.mu.Lock()
	delete(s.open, i)
	s.mu.Unlock()
}

// abandon ends the items that got no answer, because the stream ended before.
func (s *stream) abandon() {
	s.mu.Lock()
	left := make([]*item, 0, len(s.open))
	for i := range s.open {
		left = append(left, i)
	}
	s.mu.Unlock()
	for _, i := range left {
		i.endWith(outcome{code: codes.Canceled, reason: "NOT_SENT", text: "the stream ended before the answer was sent"})
	}
}

// observedStream counts what passes.
type observedStream struct {
	grpc.ServerStream
	stream *stream
	ctx    context.Context
}

func (s *observedStream) Context() context.Context { return s.ctx }

func (s *observedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if r, ok := m.(*pb.ExplainStreamRequest); ok && err == nil {
		if c := r.GetConfig(); c != nil {
			s.stream.asked(max(len(c.GetConfig().GetMethods()), 1))
		}
	}
	return err
}

func (s *observedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if r, ok := m.(*pb.ExplainStreamResponse); ok && err == nil {
		s.stream.telemetry.metrics.explained(r.GetResult().GetResponse().GetExplanations())
	}
	return err
}

// explained counts explanations that were sent.
func (m *metrics) explained(list []*pb.Explanation) {
	for _, e := range list {
		m.explanations.WithLabelValues(methodNames[e.GetMethod()]).Inc()
	}
}

// methodNames are the methods as labels name them: "grad_cam".
var methodNames = func() map[pb.Method]string {
	names := map[pb.Method]string{}
	for n, name := range pb.Method_name {
		names[pb.Method(n)] = strings.ToLower(strings.TrimPrefix(name, "METHOD_"))
	}
	return names
}()
