package native

import (
	"context"

	"google.golang.org/grpc"
)

// reader takes messages off a stream in a goroutine of its own, each one only when there is a place for it. When places
// run out it leaves the rest on the wire, where HTTP/2 flow control makes the caller wait.
type reader[Req any] struct {
	messages chan received[Req] // holds a window, so that the reader never waits to hand one over; closed at its end
	places   chan struct{}      // one element for each message whose place was not freed
	stop     context.CancelFunc
}

// received is a message, or why there will be no more: io.EOF when the caller has sent all.
type received[Req any] struct {
	message *Req
	err     error
}

// read starts a reader. It ends with the first error, by stop, or with ctx; under a Recv only when the stream ends.
func read[Req, Resp any](ctx context.Context, wire grpc.BidiStreamingServer[Req, Resp], window int) *reader[Req] {
	ctx, stop := context.WithCancel(ctx)
	r := &reader[Req]{messages: make(chan received[Req], window), places: make(chan struct{}, window), stop: stop}
	go func() {
		defer close(r.messages)
		for r.takePlace(ctx) {
			m, err := wire.Recv()
			r.messages <- received[Req]{m, err}
			if err != nil {
				return
			}
		}
	}()
	return r
}

func (r *reader[Req]) takePlace(ctx context.Context) bool {
	select {
	case r.places <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// free gives the place of one message back.
func (r *reader[Req]) free() { <-r.places }
