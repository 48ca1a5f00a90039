package explaind

import "context"

// Caller says on whose behalf a request is worked on, so that callers share the server fairly.
type Caller struct {
	// Client is who calls: the name of a token or certificate, else the address without its port. Empty in the server's
	// own process.
	Client string
	// Stream tells that the work is one of many images of a stream, whose sender is slowed down by flow control, and which
	// must therefore wait where a single request would be refused.
	Stream bool
}

type callerKey struct{}

// WithCaller returns a context that names its caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the caller of a context, the zero Caller if none is named.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
