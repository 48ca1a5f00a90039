package grpcserver

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

type predictWire = grpc.BidiStreamingServer[pb.PredictStreamRequest, pb.PredictStreamResponse]

// A stop lets a call finish, tells streams and health watchers, and takes no new calls.
func TestGracefulStop(t *testing.T) {
	var r *running
	entered, release := make(chan string, 2), make(chan struct{})
	r = start(t, Options{Grace: 10 * time.Second}, &stub{
		predict: func(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error) {
			entered <- "unary"
			<-release
			return &pb.PredictResponse{ImageId: "finished"}, nil
		},
		stream: func(wire predictWire) error {
			entered <- "stream"
			<-r.Draining()
			wire.Send(&pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Draining{Draining: &pb.Draining{}}})
			<-release
			return wire.Send(&pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Summary{Summary: &pb.Summary{Succeeded: 7}}})
		},
	})
	r.Health().ModelChanged(explaind.ModelStatus{Name: "m", Versions: []explaind.VersionStatus{{Version: 1, State: explaind.ModelReady}}})
	unary := make(chan error, 1)
	go func() {
		got, err := r.client.Predict(t.Context(), &pb.PredictRequest{})
		if err == nil && got.GetImageId() != "finished" {
			err = errors.New("another answer: " + got.String())
		}
		unary <- err
	}()
	stream, err := r.client.PredictStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	<-entered
	watch, err := healthpb.NewHealthClient(r.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("watching %v, %v", got, err)
	}

	r.stop()
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watcher hears %v, %v", got, err)
	}
	if m, err := stream.Recv(); err != nil || m.GetDraining() == nil {
		t.Errorf("the stream hears %v, %v", m, err)
	}
	if got, err := watch.Recv(); err == nil {
		t.Errorf("the watch goes on with %v", got)
	}
	eventually(t, "new calls are refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.client.ListModels(ctx, &pb.ListModelsRequest{})
		return status.Code(err) == codes.Unavailable
	})
	select {
	case err := <-r.done:
		t.Fatalf("stopped under two calls: %v", err)
	default:
	}
	close(release)
	if err := <-unary; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if m, err := stream.Recv(); err != nil || m.GetSummary().GetSucceeded() != 7 {
		t.Errorf("the stream under way: %v, %v", m, err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	r.stopped(t, 5*time.Second)
	if !strings.Contains(r.log.String(), "every call was answered") {
		t.Errorf("the log does not say how it stopped: %s", r.log)
	}
}

// Calls that go on beyond the grace period are cut off. Handlers that do not notice are left behind, so that the process
// can end.
func TestStopAfterGrace(t *testing.T) {
	for what, deaf := range map[string]bool{"handler that hears": false, "handler that does not": true} {
		t.Run(what, func(t *testing.T) {
			entered, release := make(chan struct{}), make(chan struct{})
			r := start(t, Options{Grace: 50 * time.Millisecond}, &stub{predict: func(ctx context.Context, _ *pb.PredictRequest) (*pb.PredictResponse, error) {
				close(entered)
				if deaf {
					<-release
				} else {
					<-ctx.Done()
				}
				return nil, explaind.FromContext(ctx)
			}})
			r.patience = 100 * time.Millisecond
			cut := make(chan error, 1)
			go func() {
				_, err := r.client.Predict(t.Context(), &pb.PredictRequest{})
				cut <- err
			}()
			<-entered
			r.stop()
			if err := <-cut; status.Code(err) != codes.Unavailable && status.Code(err) != codes.Canceled {
				t.Errorf("the call ends with %v", err)
			}
			r.stopped(t, 5*time.Second)
			close(release)
			if log := r.log.String(); !strings.Contains(log, "cutting off") || strings.Contains(log, "left behind") != deaf {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

func TestServeReturnsTheListenersError(t *testing.T) {
	listener := bufconn.Listen(1)
	listener.Close()
	if err := New(Options{}).Serve(t.Context(), listener); err == nil {
		t.Error("a closed listener is no error")
	}
}

// A server that is stopped before it serves does not hang.
func TestServeAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- New(Options{Grace: time.Second}).Serve(ctx, listener) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Serve hangs")
	}
	if _, err := net.DialTimeout("tcp", listener.Addr().String(), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

func TestReflection(t *testing.T) {
	r := start(t, Options{}, &stub{})
	stream, err := reflectionpb.NewServerReflectionClient(r.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{"explaind.v1.ExplainService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("reflection lists %q, without %s", names, want)
		}
	}
	stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "explaind.v1.ExplainService.ExplainStream"}})
	if got, err = stream.Recv(); err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("the descriptor is %v, %v", got, err)
	}
	stream.CloseSend()
	stream.Recv()
}

// A message may be as large as the limit, in both directions, and not larger.
func TestMessageSizes(t *testing.T) {
	const most = 10_000
	answer := func(n int) *pb.PredictResponse { return &pb.PredictResponse{ImageId: strings.Repeat("x", n)} }
	r := start(t, Options{MaxMessageBytes: most}, &stub{
		predict: func(_ context.Context, q *pb.PredictRequest) (*pb.PredictResponse, error) {
			return answer(int(q.GetTopK())), nil
		},
		stream: func(wire predictWire) error {
			send := func(n int) error {
				return wire.Send(&pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Result{Result: &pb.PredictItemResult{Response: answer(n)}}})
			}
			if err := send(most); !NotSent(err) || NotSent(errors.New("other")) {
				return errors.New("an answer that is too large was sent")
			}
			return send(10) // the stream goes on
		},
	})
	for _, c := range []struct {
		what         string
		sent, wanted int
		code         codes.Code
		text         string
	}{
		// Beside the text a message has 3 bytes of tag and length.
		{"largest request", most - 3, 0, codes.OK, ""},
		{"too large a request", most - 2, 0, codes.ResourceExhausted, "received message larger than max (10001 vs. 10000)"},
		{"largest answer", 0, most - 3, codes.OK, ""},
		{"too large an answer", 0, most - 2, codes.ResourceExhausted, "the answer has 10001 bytes and the server sends at most 10000; ask for fewer"},
	} {
		q := &pb.PredictRequest{Model: strings.Repeat("m", c.sent), TopK: int32(c.wanted)}
		_, err := r.client.Predict(t.Context(), q)
		if s := status.Convert(err); s.Code() != c.code || !strings.Contains(s.Message(), c.text) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	stream, err := r.client.PredictStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetResult().GetResponse().GetImageId() != strings.Repeat("x", 10) {
		t.Errorf("the stream has %v, %v", m, err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
}

// With a delay the server says at once that it takes no more calls, and goes on to take them until balancers have heard.
func TestDrainDelay(t *testing.T) {
	const delay = time.Second
	r := start(t, Options{Grace: 10 * time.Second, DrainDelay: delay}, &stub{predict: func(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error) {
		return &pb.PredictResponse{ImageId: "taken"}, nil
	}})
	r.Health().ModelChanged(explaind.ModelStatus{Name: "m", Versions: []explaind.VersionStatus{{Version: 1, State: explaind.ModelReady}}})
	began := time.Now()
	r.stop()
	eventually(t, "it is not ready", func() bool { return !r.Health().Ready() })
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("after %v it was still ready", took)
	}
	got, err := r.client.Predict(t.Context(), &pb.PredictRequest{})
	select {
	case <-r.Draining():
		t.Log("the machine is too busy to see the delay")
	default:
		if err != nil || got.GetImageId() != "taken" {
			t.Errorf("a call during the delay gets %v, %v", got, err)
		}
	}
	r.stopped(t, 10*time.Second)
	if took := time.Since(began); took < delay {
		t.Errorf("it stopped after %v", took)
	}
}
