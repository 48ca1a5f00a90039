package grpcserver

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// The access log has one line for each call, when it is over. It never holds payloads, which are images, nor other
// metadata than the request's id, which may be credentials. Calls that end well are logged at debug.

func (s *Server) logUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	began := time.Now()
	resp, err := handler(ctx, req)
	s.logCall(ctx, info.FullMethod, began, err)
	return resp, err
}

func (s *Server) logStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	began := time.Now()
	err := handler(srv, stream)
	s.logCall(stream.Context(), info.FullMethod, began, err)
	return err
}

func (s *Server) logCall(ctx context.Context, fullMethod string, began time.Time, err error) {
	final := status.Convert(err)
	level := levelOf(final.Code())
	if !s.log.Enabled(ctx, level) || isHealth(fullMethod) {
		return
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	attrs := []slog.Attr{
		slog.String("grpc.service", service),
		slog.String("grpc.method", method),
		slog.String("grpc.code", final.Code().String()),
		slog.Float64("grpc.time_ms", float64(time.Since(began).Microseconds())/1000),
	}
	if err != nil {
		if reason := Reason(final); reason != "" {
			attrs = append(attrs, slog.String("reason", reason))
		}
		attrs = append(attrs, slog.String("grpc.error", final.Message()))
	}
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		attrs = append(attrs, slog.String("peer.address", p.Addr.String()))
	}
	s.log.LogAttrs(ctx, level, "finished call", attrs...)
}

// isHealth tells of probes, which come every few seconds.
func isHealth(fullMethod string) bool {
	return strings.HasPrefix(fullMethod, "/"+healthpb.Health_ServiceDesc.ServiceName+"/")
}

// levelOf logs what callers can mend at info, what operators have to look at above it.
func levelOf(c codes.Code) slog.Level {
	switch c {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return slog.LevelError
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded:
		return slog.LevelWarn
	case codes.OK:
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

// Reason is the reason that this server gave in a status; "" if gRPC itself made it.
func Reason(s *status.Status) string { return errorInfo(s).GetReason() }

// errorInfo is this server's own detail of a status; nil if there is none.
func errorInfo(s *status.Status) *errdetails.ErrorInfo {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == Domain {
			return info
		}
	}
	return nil
}

// Metadata is what this server added to the reason in a status.
func Metadata(s *status.Status) map[string]string { return errorInfo(s).GetMetadata() }
