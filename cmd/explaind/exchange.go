package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// dialect is what sets PredictStream and ExplainStream apart: Q is what the client sends, A what the server sends, R the
// answer to one image.
type dialect[Q, A, R any] struct {
	open   func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[Q, A], error)
	config *Q
	item   func(*pb.ImageItem) *Q
	event  func(*A) event[R]
}

// event is what the server's messages have in common.
type event[R any] struct {
	started  bool  // the server has taken the config
	about    bool  // the message is about an image: one of the following
	sequence int64 // its index
	response R
	failure  error
	progress *pb.Progress // the work on it goes on
}

// exchange sends the pictures over one stream and hands each answer to got. How far the client reads ahead is bounded by
// HTTP/2's flow control: Send waits while the server has no room. Every picture ends in the report, whatever happens;
// the error is that of a stream which the server did not start.
func exchange[Q, A, R any](ctx context.Context, d dialect[Q, A, R], pictures []picture, r *report, got func(picture, R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.open(ctx)
	if err != nil {
		return err
	}
	unreadable := make(chan map[int]bool, 1)
	go func() { unreadable <- sendAll(ctx, stream, d, pictures, r) }()

	answered, started := make([]bool, len(pictures)), false
	err = receiveAll(stream, func(message *A) error {
		e := d.event(message)
		started = started || e.started
		if !e.about {
			return nil
		}
		i := e.sequence
		if e.progress != nil {
			if i >= 0 && i < int64(len(pictures)) && !answered[i] {
				r.working(pictures[i], e.progress)
			}
			return nil
		}
		if i < 0 || i >= int64(len(pictures)) || answered[i] {
			return fmt.Errorf("the server answered image %d, which it was not asked or has answered before", i)
		}
		answered[i] = true
		if e.failure != nil {
			r.fail(pictures[i].path, e.failure)
			return nil
		}
		r.succeed(pictures[i].path, func() error { return got(pictures[i], e.response) })
		return nil
	})
	cancel() // the sender may be waiting for room
	for i := range <-unreadable {
		answered[i] = true
	}
	if err != nil && !started {
		return err
	}
	var left []string
	for i, p := range pictures {
		if !answered[i] {
			left = append(left, p.path)
		}
	}
	r.leave(left, err)
	return nil
}

// sendAll sends the config and every picture that can be read, and returns those that cannot.
func sendAll[Q, A, R any](ctx context.Context, stream grpc.BidiStreamingClient[Q, A], d dialect[Q, A, R], pictures []picture, r *report) map[int]bool {
	unreadable := map[int]bool{}
	if stream.Send(d.config) != nil { // here and below: the receiver gets the reason
		return unreadable
	}
	for i, p := range pictures {
		if ctx.Err() != nil {
			return unreadable
		}
		data, err := p.read()
		if err != nil {
			unreadable[i] = true
			r.fail(p.path, err)
			continue
		}
		item := &pb.ImageItem{Sequence: int64(i), Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: data}}}
		if stream.Send(d.item(item)) != nil {
			return unreadable
		}
	}
	stream.CloseSend()
	return unreadable
}

// receiveAll hands over every message until the stream ends.
func receiveAll[Q, A any](stream grpc.BidiStreamingClient[Q, A], handle func(*A) error) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := handle(message); err != nil {
			return err
		}
	}
}

// predictAll asks what is in the pictures.
func (c *client) predictAll(ctx context.Context, topK int32, pictures []picture, r *report, got func(picture, *pb.PredictResponse) error) error {
	config := &pb.PredictStreamConfig{Model: c.model.GetModel().GetName(), Version: c.model.GetModel().GetVersion(), TopK: topK, Ordered: true}
	return exchange(ctx, dialect[pb.PredictStreamRequest, pb.PredictStreamResponse, *pb.PredictResponse]{
		open:   c.PredictStream,
		config: &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: config}},
		item: func(i *pb.ImageItem) *pb.PredictStreamRequest {
			return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: i}}
		},
		event: func(m *pb.PredictStreamResponse) event[*pb.PredictResponse] {
			if x := m.GetResult(); x != nil {
				return event[*pb.PredictResponse]{about: true, sequence: x.GetSequence(), response: x.GetResponse()}
			}
			return withoutResult[*pb.PredictResponse](m)
		},
	}, pictures, r, got)
}

// explainAll asks which pixels of the pictures speak for the classes that the config names.
func (c *client) explainAll(ctx context.Context, explain *pb.ExplainConfig, pictures []picture, r *report, got func(picture, *pb.ExplainResponse) error) error {
	config := &pb.ExplainStreamConfig{Model: c.model.GetModel().GetName(), Version: c.model.GetModel().GetVersion(), Config: explain, Ordered: true, Progress: r.shows()}
	return exchange(ctx, dialect[pb.ExplainStreamRequest, pb.ExplainStreamResponse, *pb.ExplainResponse]{
		open:   c.ExplainStream,
		config: &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: config}},
		item: func(i *pb.ImageItem) *pb.ExplainStreamRequest {
			return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: i}}
		},
		event: func(m *pb.ExplainStreamResponse) event[*pb.ExplainResponse] {
			if x := m.GetResult(); x != nil {
				if x.GetResponse() != nil {
					x.Response.Explanations = c.distinct(x.GetResponse().GetExplanations())
				}
				return event[*pb.ExplainResponse]{about: true, sequence: x.GetSequence(), response: x.GetResponse()}
			}
			if x := m.GetProgress(); x != nil {
				return event[*pb.ExplainResponse]{about: true, sequence: x.GetSequence(), progress: x}
			}
			return withoutResult[*pb.ExplainResponse](m)
		},
	}, pictures, r, got)
}

// withoutResult reads the messages that both streams have.
func withoutResult[R any](m interface {
	GetStarted() *pb.Started
	GetError() *pb.ItemError
}) event[R] {
	e := event[R]{started: m.GetStarted() != nil}
	if x := m.GetError(); x != nil {
		e.about, e.sequence, e.failure = true, x.GetSequence(), status.ErrorProto(x.GetStatus())
	}
	return e
}
