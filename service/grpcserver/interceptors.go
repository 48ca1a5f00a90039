package grpcserver

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/explaind/explaind"
)

// interceptors are, from the outside: those of the caller; logging, which sees the final code; the conversion of errors to
// statuses; the guards; and recovery, innermost, so that a panic becomes an error that the others see.
func (s *Server) interceptors(outer, guards Interceptors) []grpc.ServerOption {
	calls := logging.WithLogOnEvents(logging.StartCall, logging.FinishCall) // never payloads: they are images
	logged := selector.MatchFunc(notHealth)
	recovered := recovery.WithRecoveryHandlerContext(s.recovered)
	unary := append(slices.Clone(outer.Unary),
		selector.UnaryServerInterceptor(logging.UnaryServerInterceptor(callLogger(s.log), calls, logging.WithLevels(level)), logged),
		s.statusUnary)
	unary = append(append(unary, guards.Unary...), recovery.UnaryServerInterceptor(recovered))
	stream := append(slices.Clone(outer.Stream),
		selector.StreamServerInterceptor(logging.StreamServerInterceptor(callLogger(s.log), calls, logging.WithLevels(level)), logged),
		s.statusStream)
	stream = append(append(stream, guards.Stream...), s.endWatches, recovery.StreamServerInterceptor(recovered))
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...)}
}

// notHealth keeps probes, which come every few seconds, out of the log.
func notHealth(_ context.Context, c interceptors.CallMeta) bool {
	return c.Service != healthpb.Health_ServiceDesc.ServiceName
}

func callLogger(l *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(ctx context.Context, level logging.Level, message string, fields ...any) {
		l.Log(ctx, slog.Level(level), message, fields...)
	})
}

// level logs what callers can mend at info, what operators have to look at above it.
func level(c codes.Code) logging.Level {
	switch c {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return logging.LevelError
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded:
		return logging.LevelWarn
	case codes.OK:
		return logging.LevelDebug
	default:
		return logging.LevelInfo
	}
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
	return resp, Status(err).Err()
}

func (s *Server) statusStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := handler(srv, &boundedStream{stream, s})
	LogCause(stream.Context(), s.log, info.FullMethod, err)
	return Status(err).Err()
}

// LogCause logs why an internal error happened: the caller is not told.
func LogCause(ctx context.Context, log *slog.Logger, method string, err error) {
	if err == nil || Status(err).Code() != codes.Internal {
		return
	}
	if e := explaind.AsError(err); e.Err != nil {
		log.ErrorContext(ctx, "internal error", "method", method, "reason", e.Reason, "cause", e.Err)
	}
}

// watchGrace is how long health watchers have to receive NOT_SERVING before their streams end.
const watchGrace = 500 * time.Millisecond

// endWatches ends health watches when the server drains: they never end by themselves, and a graceful stop would wait
// for them.
func (s *Server) endWatches(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if !strings.HasPrefix(info.FullMethod, "/"+healthpb.Health_ServiceDesc.ServiceName+"/") {
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
