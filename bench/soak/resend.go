package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// batch is a client that gets every image of a batch answered once, whatever happens to servers and connections: what has no
// answer when a stream ends is sent again, to the next address.
type batch struct {
	number    int
	image     *pb.Image
	addresses []string
	stall     time.Duration // without any answer for so long, a stream is given up

	mu       sync.Mutex
	results  map[int64]int // how often each image was answered
	failed   map[int64]string
	streams  int
	draining int // how many streams were told that the server drains
}

// run returns when every image has its answer, or ctx has ended.
func (b *batch) run(ctx context.Context) error {
	b.results, b.failed = map[int64]int{}, map[int64]string{}
	for attempt := 0; b.open() > 0; attempt++ {
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d images have no answer after %d streams", b.open(), b.number, b.streams)
		}
		if attempt > 0 {
			pause(ctx, 20*time.Millisecond)
		}
		b.stream(ctx, b.addresses[min(attempt, len(b.addresses)-1)])
	}
	return nil
}

func (b *batch) open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.number - len(b.results) - len(b.failed)
}

// answered is how many images have a result.
func (b *batch) answered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.results)
}

// twice is how many images have more than one result.
func (b *batch) twice() (n int) {
	for _, times := range b.results {
		if times > 1 {
			n++
		}
	}
	return n
}

// stream sends what has no answer yet over one stream, until that ends or stalls.
func (b *batch) stream(ctx context.Context, address string) {
	b.streams++
	client, connection, err := connect(address)
	if err != nil {
		return
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(b.stall, cancel)
	defer watchdog.Stop()
	stream, err := client.PredictStream(ctx)
	if err != nil {
		return
	}
	b.mu.Lock()
	var open []int64
	for n := range int64(b.number) {
		if b.results[n] == 0 && b.failed[n] == "" {
			open = append(open, n)
		}
	}
	b.mu.Unlock()
	go func() {
		err := stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{}}})
		for _, n := range open {
			if err == nil {
				err = stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: &pb.ImageItem{Sequence: n, Image: b.image}}})
			}
		}
		stream.CloseSend()
	}()
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		watchdog.Reset(b.stall)
		b.mu.Lock()
		switch {
		case m.GetResult() != nil:
			b.results[m.GetResult().GetSequence()]++
		case m.GetError() != nil && !retriable(m.GetError()):
			b.failed[m.GetError().GetSequence()] = m.GetError().GetStatus().GetMessage()
		case m.GetDraining() != nil:
			b.draining++
		}
		b.mu.Unlock()
	}
}

// retriable tells that an image may be sent again.
func retriable(e *pb.ItemError) bool { return codes.Code(e.GetStatus().GetCode()) == codes.Unavailable }
