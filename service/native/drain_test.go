package native

import (
	"context"
	"testing"
	"time"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

func item(sequence int64) *pb.PredictStreamRequest {
	return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: black(sequence)}}
}

// What left the wire before the draining began is answered, even if the stream was just then waiting to send its last
// answer. Which of the two it sees first is up to chance, so there are many attempts.
func TestNothingTakenIsLost(t *testing.T) {
	s := service.New(fakerepo.New(t, map[string]explaind.Model{"m": fakemodel.New(2, "a", "b")}), service.Options{MaxInFlight: 2})
	for attempt := range 24 {
		ctx, cancel := context.WithCancel(t.Context())
		draining := make(chan struct{})
		w := newWire[pb.PredictStreamRequest, pb.PredictStreamResponse](ctx)
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
