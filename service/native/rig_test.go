package native_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// colours is a model for pictures of 4×4; its feature map is 2×2.
func colours() *fakemodel.Model { return fakemodel.New(4, "red", "green", "blue") }

// setup is a server to start. Only models must be given.
type setup struct {
	models  map[string]explaind.Model
	options service.Options
	server  grpcserver.Options
	tcp     bool
	loading bool // leave the models loading
}

// rig is a running server with a client. It stops, and everything is checked to be given back, when the test ends.
type rig struct {
	pb.ExplainServiceClient
	conn    *grpc.ClientConn
	target  string
	dialer  grpc.DialOption
	repo    *fakerepo.Repo
	service *service.Service
	stop    context.CancelFunc // begins the graceful stop
	done    chan struct{}      // closed when the server has stopped
	log     *lockedbuffer.Buffer
}

func one(m explaind.Model) setup { return setup{models: map[string]explaind.Model{"colours": m}} }

func start(t testing.TB, s setup) *rig {
	t.Helper()
	r := &rig{done: make(chan struct{}), log: &lockedbuffer.Buffer{}}
	if r.repo = fakerepo.Unloaded(t, s.models); !s.loading {
		r.repo.Load(t.Context())
	}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	s.server.Log = log
	if s.server.Grace == 0 {
		s.server.Grace = 10 * time.Second
	}
	host := grpcserver.New(s.server)
	r.service = service.New(r.repo, s.options)
	native.Register(host.Registrar(), native.New(r.service, host.Draining(), log))
	listener, target, dialer := transport(t, s.tcp)
	r.target, r.dialer = target, dialer
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		defer close(r.done)
		if err := host.Serve(ctx, listener); err != nil {
			t.Errorf("serving: %v", err)
		}
	}()
	conn, err := grpc.NewClient(target, dialer, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.conn, r.ExplainServiceClient = conn, pb.NewExplainServiceClient(conn)
	t.Cleanup(func() {
		conn.Close()
		stop()
		<-r.done
	})
	return r
}

func transport(t testing.TB, tcp bool) (net.Listener, string, grpc.DialOption) {
	t.Helper()
	if !tcp {
		l := bufconn.Listen(1 << 20)
		return l, "passthrough:///memory", grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, l.Addr().String(), grpc.EmptyDialOption{}
}

// overBoth runs a test in memory and over TCP.
func overBoth(t *testing.T, test func(t *testing.T, tcp bool)) {
	t.Run("memory", func(t *testing.T) { test(t, false) })
	t.Run("tcp", func(t *testing.T) { test(t, true) })
}

// painting is a picture, given by its colour at each place.
type painting struct {
	width, height int
	at            func(x, y int) [3]uint8
}

// mixed has no symmetry: its pixels, and their means over blocks, all differ.
func mixed(width, height int) painting {
	return painting{width, height, func(x, y int) [3]uint8 {
		return [3]uint8{uint8(40 + 37*x + 11*y), uint8(200 - 23*x - 5*y*y), uint8(13*x*y + 3*y)}
	}}
}

func plain(red, green, blue uint8) painting {
	return painting{4, 4, func(int, int) [3]uint8 { return [3]uint8{red, green, blue} }}
}

func (p painting) png(t testing.TB) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	for y := range p.height {
		for x := range p.width {
			c := p.at(x, y)
			m.Set(x, y, color.NRGBA{c[0], c[1], c[2], 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (p painting) image(t testing.TB) *pb.Image {
	return &pb.Image{Source: &pb.Image_Encoded{Encoded: p.png(t)}}
}

// bytes are the pixels of a UINT8 tensor.
func (p painting) bytes() []byte {
	var out []byte
	for y := range p.height {
		for x := range p.width {
			c := p.at(x, y)
			out = append(out, c[:]...)
		}
	}
	return out
}

// inputs are what a model with the mode "unit" makes of the pixels.
func (p painting) inputs() grid {
	out := make(grid, p.height)
	for y := range out {
		out[y] = make([][3]float64, p.width)
		for x := range out[y] {
			for k, v := range p.at(x, y) {
				out[y][x][k] = float64(v) / 255
			}
		}
	}
	return out
}

func tensor(dtype pb.DataType, data []byte, shape ...int64) *pb.Image {
	return &pb.Image{Source: &pb.Image_Tensor{Tensor: &pb.Tensor{Shape: shape, Dtype: dtype, Data: data}}}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen in 10 s", what)
		}
	}
}

func name(format string, args ...any) string { return fmt.Sprintf(format, args...) }
