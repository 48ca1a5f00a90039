package auth

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/service/grpcserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server on a port of its own. All of its handlers only count: they are reached by those whom the guard lets through.
type rig struct {
	t       *testing.T
	guard   *Guard
	address string
	log     *lockedbuffer.Buffer
	reached atomic.Int64
	caller  atomic.Pointer[explaind.Caller] // of the last call that was let through
}

// setup is what differs between rigs.
type setup struct {
	tokens       string // YAML
	certificates *Certificates
	late         bool // without Early
	maxMessage   int
	denied       func(string, *explaind.Error)
	stream       func(pb.ExplainService_PredictStreamServer) error
	log          *lockedbuffer.Buffer
}

type door struct {
	pb.UnimplementedExplainServiceServer
	stream func(pb.ExplainService_PredictStreamServer) error
}

func (d door) Predict(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error) {
	return &pb.PredictResponse{}, nil
}

func (d door) PredictStream(s pb.ExplainService_PredictStreamServer) error {
	if d.stream == nil {
		return nil
	}
	return d.stream(s)
}

// newRig starts a server; its tokens file, if there is one, is tokensFile.
func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := &rig{t: t, log: s.log}
	if r.log == nil {
		r.log = &lockedbuffer.Buffer{}
	}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := Options{Certificates: s.certificates, Log: log, Denied: s.denied}
	if s.tokens != "" {
		o.Tokens = filepath.Join(t.TempDir(), "tokens.yaml")
		must(t, os.WriteFile(o.Tokens, []byte(s.tokens), 0o600))
	}
	var err error
	r.guard, err = New(o)
	must(t, err)
	options := grpcserver.Options{MaxMessageBytes: s.maxMessage, Guards: r.guard.Interceptors(), Log: log}
	options.Guards.Unary = append(options.Guards.Unary, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		r.note(ctx)
		return handler(ctx, req)
	})
	options.Guards.Stream = append(options.Guards.Stream, func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		r.note(stream.Context())
		return handler(srv, stream)
	})
	if !s.late {
		options.Extra = append(options.Extra, r.guard.Early())
	}
	if s.certificates != nil {
		options.Extra = append(options.Extra, grpc.Creds(s.certificates.GRPC()))
	}
	server := grpcserver.New(options)
	pb.RegisterExplainServiceServer(server.Registrar(), door{stream: s.stream})
	pb.RegisterModelAdminServiceServer(server.Registrar(), pb.UnimplementedModelAdminServiceServer{})
	channelz.RegisterChannelzServiceToServer(server.Registrar())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-served)
	})
	return r
}

func (r *rig) note(ctx context.Context) {
	r.reached.Add(1)
	c := explaind.CallerOf(ctx)
	r.caller.Store(&c)
}

// dial connects; a nil configuration means plain text.
func (r *rig) dial(c *tls.Config) *grpc.ClientConn {
	r.t.Helper()
	transport := insecure.NewCredentials()
	if c != nil {
		transport = credentials.NewTLS(c)
	}
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(transport), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	must(r.t, err)
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// call calls a method of any kind with an empty message and the authorization headers.
func call(t *testing.T, conn *grpc.ClientConn, method string, headers ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.MD{"authorization": headers})
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
		return stream.RecvMsg(&emptypb.Empty{})
	}
	must(t, stream.CloseSend())
	return stream.RecvMsg(&emptypb.Empty{})
}

func reasonOfError(err error) string { return explaind.AsError(err).Reason }

func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// follows starts a watch that is quicker than the real one.
func follows[T any](t *testing.T, f *followed[T]) {
	f.every = 2 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.watch(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen in a minute", what)
		}
	}
}

// replace writes a file as careful programs do.
func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	must(t, os.WriteFile(path+".new", data, 0o600))
	must(t, os.Rename(path+".new", path))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lacks checks that no secret stands in a text.
func lacks(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if s != "" && strings.Contains(text, s) {
			t.Errorf("%s holds the secret %.8q…: %s", what, s, text)
		}
	}
}
