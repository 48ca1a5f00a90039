package grpcserver

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/explaind/explaind"
)

// identified names the caller by its address, unless a guard has named it.
func identified(ctx context.Context) context.Context {
	if explaind.CallerOf(ctx).Client != "" {
		return ctx
	}
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ctx
	}
	name := p.Addr.String()
	if host, _, err := net.SplitHostPort(name); err == nil { // else it has no port: a socket's path, or in memory
		name = host
	}
	return explaind.WithCaller(ctx, explaind.Caller{Client: name})
}

func identifyUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx = identified(ctx)
	noteClient(ctx)
	return handler(ctx, req)
}

func identifyStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := identified(stream.Context())
	noteClient(ctx)
	return handler(srv, &streamWithContext{stream, ctx})
}
