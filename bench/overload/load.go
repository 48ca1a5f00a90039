package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

const (
	connections = 4
	patience    = 10 * time.Second // of each call
)

// load is what asks a server.
type load struct {
	server  *server
	all     []*grpc.ClientConn
	clients []pb.ExplainServiceClient
	explain bool
	picture *pb.Image
}

func newLoad(s *server, explain bool) (*load, error) {
	l := &load{server: s, explain: explain, picture: &pb.Image{Source: &pb.Image_Encoded{Encoded: photo()}}}
	for range connections {
		c, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		l.all, l.clients = append(l.all, c), append(l.clients, pb.NewExplainServiceClient(c))
	}
	return l, nil
}

func (l *load) close() {
	for _, c := range l.all {
		c.Close()
	}
}

// photo is a small JPEG file with something in it.
func photo() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 224, 224))
	for y := range 224 {
		for x := range 224 {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y / 224), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		panic(err) // memory takes everything
	}
	return out.Bytes()
}

// ask is one call, over the connection of that number. The trailer is what came with an error.
func (l *load) ask(ctx context.Context, i int) (trailer metadata.MD, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := l.clients[i%len(l.clients)]
	if l.explain {
		_, err = c.Explain(ctx, &pb.ExplainRequest{Image: l.picture}, grpc.Trailer(&trailer))
		return trailer, err
	}
	_, err = c.Predict(ctx, &pb.PredictRequest{Image: l.picture}, grpc.Trailer(&trailer))
	return trailer, err
}

// closed has callers that ask, wait for the answer and ask again.
func (l *load) closed(ctx context.Context, callers int, d time.Duration) *result {
	r := l.begin()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for time.Since(r.began) < d && ctx.Err() == nil {
				l.note(ctx, i, r)
			}
		})
	}
	all.Wait()
	l.end(r)
	return r
}

// open has callers that come at random times, so many a second on average, whether or not others were answered.
func (l *load) open(ctx context.Context, perSecond float64, d time.Duration) *result {
	r := l.begin()
	random := rand.New(rand.NewPCG(1, 2))
	var all sync.WaitGroup
	next := r.began
	for i := 0; ; i++ {
		next = next.Add(time.Duration(random.ExpFloat64() / perSecond * float64(time.Second)))
		if next.Sub(r.began) > d || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Until(next))
		all.Go(func() { l.note(ctx, i, r) })
	}
	r.took = time.Since(r.began) // answers are counted per second of asking
	all.Wait()
	l.end(r)
	return r
}

// note asks and notes what became of it.
func (l *load) note(ctx context.Context, i int, r *result) {
	began := time.Now()
	trailer, err := l.ask(ctx, i)
	took := time.Since(began)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	switch s := status.Convert(err); {
	case err == nil:
		r.answered = append(r.answered, took)
	case s.Code() == codes.Unavailable && len(s.Details()) > 0: // the server's own, not of a broken connection
		r.refused = append(r.refused, took)
		if !tellsWhen(s, trailer) {
			r.silent++
		}
	default:
		r.failures[s.Code().String()+": "+s.Message()]++
		r.failed++
	}
}

// tellsWhen tells whether a refusal says when to come back, to people's programs and to gRPC's own retries.
func tellsWhen(s *status.Status, trailer metadata.MD) bool {
	if len(trailer.Get("grpc-retry-pushback-ms")) != 1 {
		return false
	}
	for _, d := range s.Details() {
		if _, ok := d.(*errdetails.RetryInfo); ok {
			return true
		}
	}
	return false
}

// processor is the time that this process has computed.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
