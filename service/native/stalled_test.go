package native_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// A hundred streams whose callers send and never read do not keep others from their answers, and hold no more than their
// windows.
func TestStalledStreams(t *testing.T) {
	const streams = 100
	m := colours()
	s := one(m)
	s.tcp, s.options.MaxInFlight = true, 4
	r := start(t, s)
	calls := func() time.Duration {
		times := make([]time.Duration, 0, 200)
		for range cap(times) {
			began := time.Now()
			if _, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}); err != nil {
				t.Fatal(err)
			}
			times = append(times, time.Since(began))
		}
		slices.Sort(times)
		return times[len(times)*99/100]
	}
	before := calls()
	memory := heap()

	// Connections of their own, whose windows are small: what is not read soon stays at the server.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	picture := mixed(40, 40).image(t)
	large := &pb.ExplainConfig{Rendering: &pb.Rendering{Values: true, Resolution: pb.Resolution_RESOLUTION_ORIGINAL}} // 6 KiB an answer
	var senders sync.WaitGroup
	var connections []*grpc.ClientConn
	for range 4 {
		conn, err := grpc.NewClient(r.target, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithInitialWindowSize(1<<16), grpc.WithInitialConnWindowSize(1<<16))
		if err != nil {
			t.Fatal(err)
		}
		connections = append(connections, conn)
	}
	for i := range streams {
		stream, err := pb.NewExplainServiceClient(connections[i%len(connections)]).ExplainStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() {
			config := &pb.ExplainStreamConfig{Config: large}
			err := stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: config}})
			for n := int64(0); err == nil; n++ {
				err = stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: &pb.ImageItem{Sequence: n, Image: picture}}})
			}
		})
	}
	eventually(t, "all are open", func() bool { return r.service.Stats().Streams == streams })
	runs, still := 0, 0
	for end := time.Now().Add(time.Minute); still < 5; time.Sleep(100 * time.Millisecond) {
		if s := r.service.Stats(); runs != m.Runs() || s.InFlight+s.Waiting > 0 {
			runs, still = m.Runs(), -1
		}
		if still++; time.Now().After(end) {
			t.Fatal("the streams do not come to a stand")
		}
	}
	after, held := calls(), heap()-memory
	t.Logf("p99 of others: %v before, %v with %d stalled streams, which hold %d MiB after %d images", before, after, streams, held>>20, runs)
	if after > 3*before+50*time.Millisecond {
		t.Errorf("p99 of others was %v and is %v", before, after)
	}
	const onTheWay = 40 // answers of this size, in the windows and buffers of a connection
	if window := 2 * r.service.MaxInFlight(); runs > 200+streams*(window+onTheWay) {
		t.Errorf("%d images were taken from streams that nobody reads", runs)
	}
	if held > 512<<20 {
		t.Errorf("the streams hold %d MiB", held>>20)
	}
	cancel()
	senders.Wait()
	for _, c := range connections {
		c.Close()
	}
	eventually(t, "all are closed", func() bool { return r.service.Stats().Streams == 0 })
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// The end of the grace period is told to whom it meets: to a call that runs, to one that waits, and to a stream.
func TestCutOff(t *testing.T) {
	m := colours()
	g := gated(m)
	s := one(m)
	s.options.MaxInFlight = 1
	s.server.Grace = 100 * time.Millisecond
	r := start(t, s)
	ends := make(chan error, 2)
	for range cap(ends) {
		go func() {
			_, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)})
			ends <- err
		}()
	}
	eventually(t, "one runs and one waits", func() bool { return g.waiting.Load() == 1 && r.service.Stats().Waiting == 1 })
	stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{})
	stream.item(1, shade(1).image(t))
	eventually(t, "an item waits", func() bool { return r.service.Stats().Waiting == 2 })
	r.stop()
	want := badRequest{code: unavailable, reason: "SERVER_DRAINING"}
	for range cap(ends) {
		want.check(t, "a call", status.Convert(<-ends))
	}
	all := hearAll(t, stream)
	want.check(t, "the stream", all.end)
	if len(all.results) != 0 {
		t.Errorf("%d items were answered", len(all.results))
	}
	<-r.done
}
