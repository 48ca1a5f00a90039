package grpcserver

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// Who calls is known by the address, unless a guard knows better; of streams too.
func TestCallers(t *testing.T) {
	for want, guards := range map[string]Interceptors{
		"bufconn": {}, // the address in memory
		"somebody": {
			Unary: []grpc.UnaryServerInterceptor{func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
				return h(explaind.WithCaller(ctx, explaind.Caller{Client: "somebody"}), req)
			}},
			Stream: []grpc.StreamServerInterceptor{func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
				return h(srv, &streamWithContext{s, explaind.WithCaller(s.Context(), explaind.Caller{Client: "somebody"})})
			}},
		},
	} {
		seen := make(chan explaind.Caller, 2)
		r := start(t, Options{Guards: guards}, &stub{
			predict: func(ctx context.Context, _ *pb.PredictRequest) (*pb.PredictResponse, error) {
				seen <- explaind.CallerOf(ctx)
				return &pb.PredictResponse{}, nil
			},
			stream: func(wire predictWire) error {
				seen <- explaind.CallerOf(wire.Context())
				return nil
			},
		})
		if _, err := r.client.Predict(t.Context(), &pb.PredictRequest{}); err != nil {
			t.Fatal(err)
		}
		stream, err := r.client.PredictStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Recv()
		for range 2 {
			if got := <-seen; got.Client != want || got.Stream {
				t.Errorf("the caller is %+v, want %s", got, want)
			}
		}
	}
}

// The time to come back stands in the trailer, of calls and of streams, and only where coming back helps.
func TestPushback(t *testing.T) {
	var failure error
	r := start(t, Options{}, &stub{
		predict: func(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error) { return nil, failure },
		stream:  func(predictWire) error { return failure },
	})
	for want, e := range map[string]*explaind.Error{
		"1000": {Code: explaind.Unavailable, Reason: "WHY", Message: "so"},
		"2500": {Code: explaind.Unavailable, Reason: "WHY", Message: "so", RetryAfter: 2500e6},
		"70":   {Code: explaind.ResourceExhausted, Reason: "WHY", Message: "so", RetryAfter: 70e6},
		"1":    {Code: explaind.ResourceExhausted, Reason: "WHY", Message: "so", RetryAfter: 1},
		"":     {Code: explaind.ResourceExhausted, Reason: "WHY", Message: "so"},
	} {
		failure = e
		var trailer metadata.MD
		r.client.Predict(t.Context(), &pb.PredictRequest{}, grpc.Trailer(&trailer))
		stream, err := r.client.PredictStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Recv()
		for kind, md := range map[string]metadata.MD{"call": trailer, "stream": stream.Trailer()} {
			got := md.Get(pushbackTrailer)
			if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || got[0] != want) {
				t.Errorf("%s: %q, want %q", kind, got, want)
			}
		}
	}
}
