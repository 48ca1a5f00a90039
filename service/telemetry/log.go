package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/explaind/explaind/service/grpcserver"
)

// Marked is a handler of a log that marks each line of a call: with the request's id, the client's name, the sequence of an
// image of a stream, and the trace and span if the call is traced.
func Marked(next slog.Handler) slog.Handler { return marker{next} }

type marker struct{ slog.Handler }

// Handle is slog.Handler's.
func (m marker) Handle(ctx context.Context, r slog.Record) error {
	if id := grpcserver.RequestID(ctx); id != "" {
		marks := []slog.Attr{slog.String("request_id", id)}
		if client := grpcserver.Client(ctx); client != "" {
			marks = append(marks, slog.String("client", client))
		}
		if sequence, ok := ctx.Value(sequenceKey{}).(int64); ok {
			marks = append(marks, slog.Int64("sequence", sequence))
		}
		if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
			marks = append(marks, slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
		}
		r = r.Clone()
		r.AddAttrs(marks...)
	}
	return m.Handler.Handle(ctx, r)
}

// WithAttrs is slog.Handler's.
func (m marker) WithAttrs(attrs []slog.Attr) slog.Handler { return marker{m.Handler.WithAttrs(attrs)} }

// WithGroup is slog.Handler's.
func (m marker) WithGroup(name string) slog.Handler { return marker{m.Handler.WithGroup(name)} }
