// Package grpcserver builds the gRPC server that every door is registered on: limits, health, reflection, logging,
// recovery, the conversion of errors and the graceful stop. It knows no door.
package grpcserver

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress; what comes out is bounded as any message
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// DefaultMaxMessageBytes is the largest message in either direction unless set otherwise: 20 float32 images
// [1024, 1024, 3], or a photo of any camera.
const DefaultMaxMessageBytes = 64 << 20

// Limits of connections. gRPC's own are made for trusted peers: no bound on streams, 16 MiB of headers, two minutes
// for a handshake.
const (
	maxStreams        = 256
	maxHeaderBytes    = 16 << 10
	connectionTimeout = 10 * time.Second
	// Connections are renewed, so that balancers which only see connections can spread them again. Streams on an old one
	// are finished, however long they take: no grace period is set, because a stream of many images may run for hours.
	connectionAge      = 30 * time.Minute
	keepaliveTime      = 2 * time.Minute
	clientPingInterval = 10 * time.Second
	// What callers may send before it is read. By itself gRPC raises the window of every stream to 16 MiB on a fast network,
	// and holds all of that for streams that are not read from because their callers do not read either.
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
	// stopTimeout is what handlers have to return after their connections were cut.
	stopTimeout = 5 * time.Second
)

// Options configure a Server. The zero value has the defaults.
type Options struct {
	MaxMessageBytes int           // 0 means DefaultMaxMessageBytes
	Grace           time.Duration // how long calls may go on after the stop began; 0 cuts them off at once
	DrainDelay      time.Duration // how long calls are taken after health says NOT_SERVING, until balancers have heard of it
	Services        []string      // full names of the services whose health follows the models
	Log             *slog.Logger  // nil logs nothing
	// Outer are interceptors around all others: they see every call, also those that are denied, and the final status.
	Outer Interceptors
	// Guards are interceptors that may deny a call. Their errors become statuses as those of handlers do.
	Guards Interceptors
	// Extra are further options of the gRPC server, such as credentials and stats handlers. Interceptors among them are
	// around all others.
	Extra []grpc.ServerOption
}

// Interceptors are chains for both kinds of calls, the outermost first.
type Interceptors struct {
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

// Server is a gRPC server with health and reflection.
type Server struct {
	grpc     *grpc.Server
	health   *Health
	log      *slog.Logger
	largest  int           // message, in bytes
	delay    time.Duration // before draining
	grace    time.Duration // of calls
	patience time.Duration // with handlers whose calls were cut off
	draining chan struct{}
	life     life
}

// New returns a server on which services can be registered.
func New(o Options) *Server {
	if o.MaxMessageBytes == 0 {
		o.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{health: newHealth(o.Services...), log: o.Log, largest: o.MaxMessageBytes, delay: o.DrainDelay, grace: o.Grace, patience: stopTimeout, draining: make(chan struct{}), life: newLife()}
	s.grpc = grpc.NewServer(append(slices.Concat(o.Extra, s.interceptors(o.Outer, o.Guards)),
		grpc.MaxRecvMsgSize(o.MaxMessageBytes),
		grpc.MaxSendMsgSize(o.MaxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: connectionAge, Time: keepaliveTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPingInterval, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)...)
	healthpb.RegisterHealthServer(s.grpc, s.health.server)
	reflection.Register(s.grpc)
	return s
}

// Registrar takes the services, before Serve.
func (s *Server) Registrar() grpc.ServiceRegistrar { return s.grpc }

// Health is where models report to.
func (s *Server) Health() *Health { return s.health }

// Draining is closed when the server begins to stop. Streams have to end themselves then: a graceful stop waits for
// them.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Serve answers on the listener until ctx ends, then stops: health says NOT_SERVING and, after the delay, streams drain, no
// new call is accepted, calls under way are finished, and what is still under way after the grace period is told so and cut off.
// The error is the listener's, nil after a stop.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.grpc.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.stop()
	return nil
}

func (s *Server) stop() {
	defer s.life.end(errCutOff)
	s.log.Info("stopping", "delay", s.delay, "grace", s.grace)
	s.health.shutdown()
	time.Sleep(s.delay)
	close(s.draining)
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		s.log.Info("stopped; every call was answered")
		return
	case <-time.After(s.grace):
	}
	s.log.Warn("the grace period has passed; cutting off the calls still under way")
	s.life.end(errCutOff)
	select {
	case <-stopped:
		return
	case <-time.After(farewell):
	}
	go s.grpc.Stop()
	select {
	case <-stopped:
	case <-time.After(s.patience):
		s.log.Warn("calls are still running and are left behind")
	}
}
