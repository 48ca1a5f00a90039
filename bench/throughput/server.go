package main

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

// server is the gRPC server of one model on a port of its own, put together as "explaind serve" does.
type server struct {
	address string
	stop    func() error
}

func startServer(m explaind.Model, s *setup) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	rpc := grpcserver.New(grpcserver.Options{Services: []string{pb.ExplainService_ServiceDesc.ServiceName}})
	models := onlyModel{batch.New(m, s.runs)}
	native.Register(rpc.Registrar(), native.New(service.New(models, service.Options{MaxInFlight: s.inFlight}), rpc.Draining(), nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rpc.Serve(ctx, listener) }()
	return &server{address: listener.Addr().String(), stop: func() error {
		cancel()
		return <-done
	}}, nil
}

// clients are stubs with connections of their own.
func (s *server) clients(n int) ([]pb.ExplainServiceClient, error) {
	stubs := make([]pb.ExplainServiceClient, n)
	for i := range stubs {
		conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		stubs[i] = pb.NewExplainServiceClient(conn)
	}
	return stubs, nil
}

// onlyModel is a repository of one model, which stays open.
type onlyModel struct{ model explaind.Model }

var onlyRef = explaind.ModelRef{Name: "model", Version: 1}

// Acquire is service.Models'.
func (o onlyModel) Acquire(string, int64, string) (*explaind.Handle, error) {
	return explaind.NewHandle(o.model, onlyRef, func() {}), nil
}

// List is service.Models'.
func (o onlyModel) List() []explaind.ModelStatus {
	return []explaind.ModelStatus{{Name: onlyRef.Name, Versions: []explaind.VersionStatus{{Version: onlyRef.Version, State: explaind.ModelReady}}}}
}
