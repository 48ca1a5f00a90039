package native

import (
	"context"
	"io"

	"google.golang.org/grpc/metadata"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// wire is a stream whose every step the test decides.
type wire[Req, Resp any] struct {
	ctx    context.Context
	arrive chan *Req
	leave  chan *Resp // unbuffered: Send returns when the test takes the message
}

func newWire[Req, Resp any](ctx context.Context) *wire[Req, Resp] {
	return &wire[Req, Resp]{ctx, make(chan *Req), make(chan *Resp)}
}

func (w *wire[Req, Resp]) Recv() (*Req, error) {
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

func (w *wire[Req, Resp]) Send(m *Resp) error {
	select {
	case w.leave <- m:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (w *wire[Req, Resp]) Context() context.Context { return w.ctx }

func (w *wire[Req, Resp]) SetHeader(metadata.MD) error { return nil }

func (w *wire[Req, Resp]) SendHeader(metadata.MD) error { return nil }

func (w *wire[Req, Resp]) SetTrailer(metadata.MD) {}

func (w *wire[Req, Resp]) SendMsg(any) error { panic("not used") }

func (w *wire[Req, Resp]) RecvMsg(any) error { panic("not used") }

// black is a picture of 2×2 black pixels.
func black(sequence int64) *pb.ImageItem {
	pixels := &pb.Tensor{Shape: []int64{2, 2, 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: make([]byte, 12)}
	return &pb.ImageItem{Sequence: sequence, Image: &pb.Image{Source: &pb.Image_Tensor{Tensor: pixels}}}
}
