package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/batch"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/admin"
	"github.com/explaind/explaind/service/auth"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
	"github.com/explaind/explaind/service/telemetry"
)

// leaveTimeout is how long a stop waits, beyond the grace period of calls, for loading and closing of models: one step
// of TensorFlow cannot be interrupted.
const leaveTimeout = 5 * time.Second

// config is what a server is made of. Limits that are zero have their defaults.
type config struct {
	models          repository.Options // without Open and Log
	open            repository.OpenFunc
	admin           bool // models may be loaded, unloaded and labelled by callers
	limits          service.Options
	batch           batch.Options
	maxMessageBytes int
	grace           time.Duration
	log             *slog.Logger
	telemetry       *telemetry.Telemetry // nil for none, as in a process that asks itself
	pprof           bool
	drainDelay      time.Duration
	guard           *auth.Guard        // nil lets everything in, as in a process that asks itself
	certificates    *auth.Certificates // nil for plain text
}

// server is a gRPC server with its models. "explaind serve" and every command without --server run the same one.
type server struct {
	models *repository.Repository
	grpc   *grpcserver.Server
	log    *slog.Logger
	loaded chan struct{} // closed when the models of the start are loaded, or have failed
	left   chan struct{} // closed when no model is loading any more, and none will
}

func newServer(c config) (*server, error) {
	options := grpcserver.Options{
		MaxMessageBytes: c.maxMessageBytes,
		Grace:           c.grace,
		Services:        []string{pb.ExplainService_ServiceDesc.ServiceName},
		Log:             c.log,
	}
	if err := c.instrument(&options); err != nil {
		return nil, err
	}
	c.models.Open, c.models.Log = sharingRuns(c.timed(c.open), c.batch), c.log
	models, err := repository.New(c.models)
	if err != nil {
		return nil, err
	}
	s := &server{models: models, log: c.log, loaded: make(chan struct{}), left: make(chan struct{})}
	c.secure(&options)
	s.grpc = grpcserver.New(options)
	answers := service.New(models, c.limits)
	native.Register(s.grpc.Registrar(), native.New(answers, s.grpc.Draining(), c.log))
	if c.admin {
		admin.Register(s.grpc.Registrar(), admin.New(models))
	}
	models.Listen(s.grpc.Health().ModelChanged)
	c.reveal(s, answers)
	return s, nil
}

// sharingRuns opens models whose callers share runs.
func sharingRuns(open repository.OpenFunc, o batch.Options) repository.OpenFunc {
	return func(ctx context.Context, dir string) (explaind.Model, error) {
		m, err := open(ctx, dir)
		if err != nil {
			return nil, err
		}
		return batch.New(m, o), nil
	}
}

// serve answers on the listener, and loads the models meanwhile. When ctx ends, it stops as grpcserver does, closes the
// models and returns nil. It may be called once.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(s.left)
		s.models.Load(ctx)
		close(s.loaded)
		s.models.Watch(ctx)
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
	case <-s.left:
	case <-ctx.Done():
		s.log.Warn("a model is still loading and is left behind")
		return
	}
	if err := s.models.Close(ctx); err != nil {
		s.log.Warn("a model could not be closed", "error", err)
	}
}

// ready waits until the models of the start are loaded. The error tells why there is none that answers, and none that could
// without a change to its files: one of which no version is wanted, or is there, waits for it.
func (s *server) ready(ctx context.Context) error {
	select {
	case <-s.loaded:
	case <-ctx.Done():
	}
	if err := explaind.FromContext(ctx); err != nil { // loading was broken off
		return err
	}
	var failed []string
	var last error
	models := s.models.List()
	if len(models) == 0 { // their folder is there, and empty
		return nil
	}
	for _, m := range models {
		if m.Ready() || !anyIn(m, explaind.ModelFailed) {
			return nil
		}
		for _, v := range m.Versions {
			if v.State == explaind.ModelFailed {
				last = fmt.Errorf("model %s: %w", m.Name, v.Err)
				failed = append(failed, fmt.Sprintf("%s: %s", m.Name, failureOf(explaind.AsError(v.Err)).Message))
			}
		}
	}
	if len(failed) == 1 {
		return last
	}
	return explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS", "no model could be loaded: %s", strings.Join(failed, "; "))
}
