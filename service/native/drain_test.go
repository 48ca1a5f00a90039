package native

import (
	"context"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

// wire is a stream whose every step the test decides.
type wire struct {
	ctx    context.Context
	arrive chan *pb.PredictStreamRequest
	leave  chan *pb.PredictStreamResponse // unbuffered: Send returns when the test takes the message
}

func (w *wire) Recv() (*pb.PredictStreamRequest, error) {
	select {
	case m, more := <-w.arrive:
		if !more {
			return nil, io.EOF
		}
		return m, nil
	case <-w.ctx.Done():
		return nil, w.ctx.Err()
	}
}

func (w *wire) Send(m *pb.PredictStreamResponse) error {
	select {
	case w.leave <- m:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (w *wire) Context() context.Context { return w.ctx }

func (w *wire) SetHeader(metadata.MD) error { return nil }

func (w *wire) SendHeader(metadata.MD) error { return nil }

func (w *wire) SetTrailer(metadata.MD) {}

func (w *wire) SendMsg(any) error { panic("not used") }

func (w *wire) RecvMsg(any) error { panic("not used") }

func item(sequence int64) *pb.PredictStreamRequest {
	image := &pb.Image{Source: &pb.Image_Tensor{Tensor: &pb.Tensor{Shape: []int64{2, 2, 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: make([]byte, 12)}}}
	return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: &pb.ImageItem{Sequence: sequence, Image: image}}}
}

// What left the wire before the draining began is answered, even if the stream was just then waiting to send its last
// answer. Which of the two it sees first is up to chance, so there are many attempts.
func TestNothingTakenIsLost(t *testing.T) {
	s := service.New(fakerepo.New(t, map[string]explaind.Model{"m": fakemodel.New(2, "a", "b")}), service.Options{MaxInFlight: 2})
	for attempt := range 24 {
		ctx, cancel := context.WithCancel(t.Context())
		draining := make(chan struct{})
		w := &wire{ctx, make(chan *pb.PredictStreamRequest), make(chan *pb.PredictStreamResponse)}
		end := make(chan error, 1)
		go func() { end <- New(s, draining, nil).PredictStream(w) }()

		w.arrive <- &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{}}}
		if m := <-w.leave; m.GetStarted().GetMaxInFlight() != 4 {
			t.Fatalf("began with %v", m)
		}
		w.arrive <- item(1)
		// The stream now sends the answer to 1, or is about to. The reader takes 2 and 3, and waits for a fourth.
		w.arrive <- item(2)
		w.arrive <- item(3)
		close(draining)
		answered := map[int64]bool{}
		for err := error(nil); err == nil; {
			if attempt%4 == 0 { // a slow caller: the stream has no time left to linger
				time.Sleep(drainLinger * 3 / 2)
			}
			select {
			case m := <-w.leave:
				if m.GetResult() != nil {
					answered[m.GetResult().GetSequence()] = true
				}
			case err = <-end:
				if err != error(errDraining) {
					t.Fatalf("ended with %v", err)
				}
			}
		}
		if len(answered) != 3 {
			t.Fatalf("answered %v, want 1, 2 and 3", answered)
		}
		cancel() // as gRPC does when the handler has returned
	}
}
