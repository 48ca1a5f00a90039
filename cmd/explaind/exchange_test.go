package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// oddServer answers streams as a test wants it to.
type oddServer struct {
	pb.UnimplementedExplainServiceServer
	predict func(predictStream) error
}

type predictStream = grpc.BidiStreamingServer[pb.PredictStreamRequest, pb.PredictStreamResponse]

func (oddServer) GetModel(context.Context, *pb.GetModelRequest) (*pb.GetModelResponse, error) {
	return &pb.GetModelResponse{Model: &pb.ModelRef{Name: "odd", Version: 1}}, nil
}

func (s oddServer) PredictStream(stream predictStream) error { return s.predict(stream) }

func started() *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Started{Started: &pb.Started{}}}
}

func result(sequence int64) *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Result{Result: &pb.PredictItemResult{
		Sequence: sequence, Response: &pb.PredictResponse{Predictions: []*pb.ClassScore{{Label: "odd", Probability: 0.5}}}}}}
}

// A stream that ends otherwise than it should costs the images that have no answer, and no others.
func TestOddStreams(t *testing.T) {
	dir := t.TempDir()
	const count = 3000 // more than the windows of a stream hold, so that the sender has to wait
	for i := range count {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d.png", i)), "any bytes will do; nobody looks at them here")
	}
	draining := &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Draining{Draining: &pb.Draining{}}}
	for _, c := range []struct {
		name    string
		predict func(predictStream) error
		status  int
		text    []string
	}{
		{"never started", func(predictStream) error { return status.Error(codes.Internal, "no luck") }, statusNotStarted, []string{"explaind: no luck"}},
		{"breaks at once", func(s predictStream) error {
			s.Send(started())
			return status.Error(codes.Internal, "no luck")
		}, statusSomeFailed, []string{"3000 images from " + filepath.Join(dir, "0000.png") + " on have no answer: no luck", "3000 of 3000 images failed"}},
		{"drains", func(s predictStream) error {
			s.Send(started())
			s.Send(result(1))
			s.Send(result(0))
			s.Send(draining)
			return status.Error(codes.Unavailable, "stopping")
		}, statusSomeFailed, []string{"2998 images from " + filepath.Join(dir, "0002.png"), "stopping"}},
		{"ends early", func(s predictStream) error {
			s.Send(started())
			s.Send(result(2))
			return nil
		}, statusSomeFailed, []string{"2999 images", "ended the stream early"}},
		{"answers twice", func(s predictStream) error {
			s.Send(started())
			s.Send(result(5))
			s.Send(result(5))
			<-s.Context().Done()
			return nil
		}, statusSomeFailed, []string{"answered image 5", "2999 of 3000"}},
		{"answers what was not asked", func(s predictStream) error {
			s.Send(started())
			s.Send(result(-1))
			<-s.Context().Done()
			return nil
		}, statusSomeFailed, []string{"answered image -1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := serveOdd(t, oddServer{predict: c.predict})
			r := newRig(t)
			r.run("predict", dir, "--server", address).want(t, c.status, c.text...)
		})
	}
}

func TestServerOfAnotherKind(t *testing.T) {
	r := newRig(t)
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", serveOdd(t, nil)).want(t, statusNotStarted, "does not know this call", "--server")
}

// serveOdd serves s, or nothing at all if it is nil.
func serveOdd(t *testing.T, s pb.ExplainServiceServer) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := grpc.NewServer()
	if s != nil {
		pb.RegisterExplainServiceServer(server, s)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}
