package grpcserver

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/explaind/explaind"
)

// farewell is how long handlers have, once the grace period has passed, to answer that they were broken off. Then their
// connections are cut.
const farewell = 500 * time.Millisecond

// errCutOff is why the contexts of handlers end when the grace period has passed.
var errCutOff = &explaind.Error{Code: explaind.Unavailable, Reason: "SERVER_DRAINING", RetryAfter: time.Second,
	Message: "the server has stopped before the work was done; send the request to another one, or again in a moment"}

// life is what the contexts of all handlers hang on: gRPC ends them only when it cuts their connections, and then nobody
// hears any more why.
type life struct {
	ctx context.Context
	end context.CancelCauseFunc
}

func newLife() life {
	ctx, end := context.WithCancelCause(context.Background())
	return life{ctx, end}
}

// with is a call's context that also ends with l.
func (l life) with(call context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(call)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

func (l life) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, done := l.with(ctx)
	defer done()
	return handler(ctx, req)
}

func (l life) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, done := l.with(stream.Context())
	defer done()
	return handler(srv, &streamWithContext{stream, ctx})
}
