package native

import (
	"context"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// maxHeldBytes bounds the messages of one stream that were read and whose images were not answered yet. One that is larger
// is read alone.
const maxHeldBytes = 32 << 20

// reader takes messages off a stream in a goroutine of its own, each one only when there is a place for it and those before
// it are not too large. What it does not read stays on the wire, where HTTP/2 flow control makes the caller wait.
type reader[Req any] struct {
	messages chan received[Req] // holds a window, so that the reader never waits to hand one over; closed at its end
	places   chan struct{}      // one element for each message whose place was not freed
	bytes    *semaphore.Weighted
	stop     context.CancelFunc
}

// received is a message, or why there will be no more: io.EOF when the caller has sent all.
type received[Req any] struct {
	message *Req
	bytes   int64 // that it takes, until they are dropped
	err     error
}

// read starts a reader. It ends with the first error, by stop, or with ctx; under a Recv only when the stream ends.
func read[Req, Resp any](ctx context.Context, wire grpc.BidiStreamingServer[Req, Resp], window int) *reader[Req] {
	ctx, stop := context.WithCancel(ctx)
	r := &reader[Req]{
		messages: make(chan received[Req], window), places: make(chan struct{}, window),
		bytes: semaphore.NewWeighted(maxHeldBytes), stop: stop,
	}
	go func() {
		defer close(r.messages)
		for r.takePlace(ctx) {
			m, err := wire.Recv()
			if err != nil {
				r.messages <- received[Req]{err: err}
				return
			}
			r.messages <- received[Req]{m, r.hold(ctx, m), nil}
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

// hold waits until there is room for a message. The reader may be stopped meanwhile: then this is the last one, and takes
// none.
func (r *reader[Req]) hold(ctx context.Context, m *Req) int64 {
	size := min(int64(proto.Size(any(m).(proto.Message))), maxHeldBytes)
	if r.bytes.Acquire(ctx, size) != nil {
		return 0
	}
	return size
}

// drop gives the bytes of one message back.
func (r *reader[Req]) drop(bytes int64) { r.bytes.Release(bytes) }

// free gives the place of one message back.
func (r *reader[Req]) free() { <-r.places }
