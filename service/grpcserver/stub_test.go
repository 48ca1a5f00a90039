package grpcserver

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a door whose handlers are fields.
type stub struct {
	pb.UnimplementedExplainServiceServer
	predict func(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error)
	stream  func(grpc.BidiStreamingServer[pb.PredictStreamRequest, pb.PredictStreamResponse]) error
}

func (s *stub) Predict(ctx context.Context, r *pb.PredictRequest) (*pb.PredictResponse, error) {
	return s.predict(ctx, r)
}

func (s *stub) PredictStream(stream grpc.BidiStreamingServer[pb.PredictStreamRequest, pb.PredictStreamResponse]) error {
	return s.stream(stream)
}

// running is a server with a stub behind it and a client before it.
type running struct {
	*Server
	client pb.ExplainServiceClient
	conn   *grpc.ClientConn
	stop   context.CancelFunc
	done   chan error // what Serve returned
	log    *lockedbuffer.Buffer
}

func start(t *testing.T, o Options, s *stub) *running {
	t.Helper()
	r := &running{log: &lockedbuffer.Buffer{}, done: make(chan error, 1)}
	o.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server = New(o)
	pb.RegisterExplainServiceServer(r.Registrar(), s)
	listener := bufconn.Listen(1 << 20)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.done <- r.Serve(ctx, listener)
	}()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	r.conn, r.client = conn, pb.NewExplainServiceClient(conn)
	t.Cleanup(func() {
		conn.Close()
		stop()
		<-stopped
	})
	return r
}

// stopped waits for Serve to return and checks that it took no longer than it may.
func (r *running) stopped(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Serve returned %v", err)
		}
	case <-time.After(within):
		t.Fatalf("Serve did not return within %v", within)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen in 10 s", what)
		}
	}
}
