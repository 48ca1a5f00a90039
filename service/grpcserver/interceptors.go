package grpcserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	orcapb "github.com/cncf/xds/go/xds/service/orca/v3"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/explaind/explaind"
)

// interceptors are, from the outside: the request's id; those of the caller; the log, which sees the final code; the
// conversion of errors to statuses; the end of all work when the server ends; the guards; the caller's name; and recovery,
// innermost, so that a panic becomes an error that the others see.
func (s *Server) interceptors(outer, guards Interceptors) []grpc.ServerOption {
	recovered := recovery.WithRecoveryHandlerContext(s.recovered)
	unary := slices.Concat(
		[]grpc.UnaryServerInterceptor{requestUnary}, outer.Unary,
		[]grpc.UnaryServerInterceptor{s.logUnary, s.statusUnary, s.life.unary}, guards.Unary,
		[]grpc.UnaryServerInterceptor{identifyUnary, recovery.UnaryServerInterceptor(recovered)})
	stream := slices.Concat(
		[]grpc.StreamServerInterceptor{requestStream}, outer.Stream,
		[]grpc.StreamServerInterceptor{s.logStream, s.statusStream, s.life.stream}, guards.Stream,
		[]grpc.StreamServerInterceptor{identifyStream, s.endWatches, recovery.StreamServerInterceptor(recovered)})
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...)}
}

func (s *Server) recovered(ctx context.Context, p any) error {
	return Recovered(ctx, s.log, p)
}

// Recovered logs a recovered panic with its stack and returns the error for the caller, which tells nothing of it.
func Recovered(ctx context.Context, log *slog.Logger, p any) error {
	log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
	return explaind.Errorf(explaind.Internal, "PANIC", "an internal error happened; the server's log has the cause")
}

func (s *Server) statusUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if err == nil {
		err = s.checkSize(resp)
	}
	LogCause(ctx, s.log, info.FullMethod, err)
	if trailer := pushback(err); trailer != nil {
		_ = grpc.SetTrailer(ctx, trailer) // fails only where there is no call
	}
	return resp, StatusIn(ctx, err).Err()
}

func (s *Server) statusStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, &boundedStream{stream, s})
	LogCause(stream.Context(), s.log, info.FullMethod, err)
	if trailer := pushback(err); trailer != nil {
		stream.SetTrailer(trailer)
	}
	return StatusIn(stream.Context(), err).Err()
}

// LogCause logs why an internal error happened: the caller is not told.
func LogCause(ctx context.Context, log *slog.Logger, method string, err error) {
	if err == nil {
		return
	}
	if e := explaind.AsError(err); e.Err != nil && Status(err).Code() == codes.Internal {
		log.ErrorContext(ctx, "internal error", "method", method, "reason", e.Reason, "cause", e.Err)
	}
}

// watchGrace is how long watchers have to receive what they wait for, such as NOT_SERVING, before their streams end.
const watchGrace = 500 * time.Millisecond

// isWatch tells of the streams that never end by themselves: those of health, and of load reports.
func isWatch(fullMethod string) bool {
	return fullMethod == healthpb.Health_Watch_FullMethodName || fullMethod == orcapb.OpenRcaService_StreamCoreMetrics_FullMethodName
}

// endWatches ends watches when the server drains: a graceful stop would wait for them.
func (s *Server) endWatches(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !isWatch(info.FullMethod) {
		return handler(srv, stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	go func() {
		select {
		case <-s.draining:
			time.AfterFunc(watchGrace, cancel)
		case <-ctx.Done():
		}
	}()
	return handler(srv, &streamWithContext{stream, ctx})
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }
