package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

// leaveTimeout is how long a stop waits, beyond the grace period of calls, for loading and closing of models: one step
// of TensorFlow cannot be interrupted.
const leaveTimeout = 5 * time.Second

// config is what a server is made of. Limits that are zero have their defaults.
type config struct {
	sources         []repository.Source
	open            repository.OpenFunc
	limits          service.Options
	maxMessageBytes int
	grace           time.Duration
	log             *slog.Logger
}

// server is a gRPC server with its models. "explaind serve" and every command without --server run the same one.
type server struct {
	models *repository.Repository
	grpc   *grpcserver.Server
	log    *slog.Logger
	loaded chan struct{} // closed when no model is loading any more
}

func newServer(c config) (*server, error) {
	models, err := repository.New(c.open, c.sources, c.log)
	if err != nil {
		return nil, err
	}
	s := &server{models: models, log: c.log, loaded: make(chan struct{})}
	s.grpc = grpcserver.New(grpcserver.Options{
		MaxMessageBytes: c.maxMessageBytes,
		Grace:           c.grace,
		Services:        []string{pb.ExplainService_ServiceDesc.ServiceName},
		Log:             c.log,
	})
	native.Register(s.grpc.Registrar(), native.New(service.New(models, c.limits), s.grpc.Draining(), c.log))
	models.Listen(s.grpc.Health().ModelChanged)
	return s, nil
}

// serve answers on the listener, and loads the models meanwhile. When ctx ends, it stops as grpcserver does, closes the
// models and returns nil. It may be called once.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(s.loaded)
		s.models.Load(ctx)
	}()
	err := s.grpc.Serve(ctx, listener)
	cancel()
	s.leave()
	return err
}

// leave waits for what still loads and closes the models.
func (s *server) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	select {
	case <-s.loaded:
	case <-ctx.Done():
		s.log.Warn("a model is still loading and is left behind")
		return
	}
	if err := s.models.Close(ctx); err != nil {
		s.log.Warn("a model could not be closed", "error", err)
	}
}

// ready waits until no model is loading any more. The error tells why there is none that answers.
func (s *server) ready(ctx context.Context) error {
	select {
	case <-s.loaded:
	case <-ctx.Done():
		return explaind.FromContext(ctx)
	}
	var failed []string
	var last error
	for _, m := range s.models.List() {
		if m.Ready() {
			return nil
		}
		for _, v := range m.Versions {
			if v.State == explaind.ModelFailed {
				last = v.Err
				failed = append(failed, fmt.Sprintf("%s: %s", m.Name, failureOf(explaind.AsError(v.Err)).Message))
			}
		}
	}
	switch len(failed) {
	case 0: // the server stopped
		return explaind.Errorf(explaind.Canceled, "CANCELED", "loading was broken off")
	case 1:
		return last
	default:
		return explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS", "no model could be loaded: %s", strings.Join(failed, "; "))
	}
}
