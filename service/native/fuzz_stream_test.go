package native_test

import (
	"context"
	"io"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service/grpcserver"
)

// FuzzPredictStream and FuzzExplainStream send any sequence of messages, each with its length before it. Whatever comes, the
// stream ends in an answer to each item that it took, counted right, or in an error with a reason.
func FuzzPredictStream(f *testing.F) {
	server := fuzzed(f)
	addTalks(f, func(c talkConfig) proto.Message {
		return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{
			Model: c.model, Ordered: c.ordered, TopK: c.topK, RawOutputs: c.rawOutputs}}}
	}, func(i *pb.ImageItem) proto.Message {
		return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: i}}
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzTalk(t, data, func(s *script[pb.PredictStreamRequest, pb.PredictStreamResponse]) error {
			return server.PredictStream(s)
		})
	})
}

// FuzzExplainStream is described at FuzzPredictStream.
func FuzzExplainStream(f *testing.F) {
	server := fuzzed(f)
	addTalks(f, func(c talkConfig) proto.Message {
		return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: &pb.ExplainStreamConfig{
			Model: c.model, Ordered: c.ordered, Config: c.explain, Progress: c.progress}}}
	}, func(i *pb.ImageItem) proto.Message {
		return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: i}}
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzTalk(t, data, func(s *script[pb.ExplainStreamRequest, pb.ExplainStreamResponse]) error {
			return server.ExplainStream(s)
		})
	})
}

// addTalks adds dialogues as people hold them, and those that go wrong.
func addTalks(f *testing.F, config func(talkConfig) proto.Message, item func(*pb.ImageItem) proto.Message) {
	good, bad := mixed(5, 5).image(f), tensorless([]byte("no picture"))
	picture := func(sequence int64) proto.Message { return item(&pb.ImageItem{Sequence: sequence, Image: good}) }
	empty := proto.Message(&pb.ImageItem{})
	faithful := &pb.ExplainConfig{Methods: []pb.Method{cam, gradCAM}, Faithfulness: true}
	for _, messages := range [][]proto.Message{
		{},
		{empty},
		{config(talkConfig{})},
		{config(talkConfig{model: "none"}), picture(1)},
		{picture(1), config(talkConfig{})},
		{config(talkConfig{}), config(talkConfig{})},
		{config(talkConfig{ordered: true}), picture(3), item(&pb.ImageItem{Sequence: 1, Image: bad}), picture(3), item(nil)},
		{config(talkConfig{topK: -1, explain: &pb.ExplainConfig{TopK: -1}}), picture(1)},
		{config(talkConfig{rawOutputs: true, progress: true, explain: faithful}), picture(1), empty, picture(2)},
	} {
		var data []byte
		for _, m := range messages {
			one, err := proto.Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			data = protowire.AppendBytes(data, one)
		}
		f.Add(data)
	}
}

// fuzzTalk holds one dialogue and checks what was said.
func fuzzTalk[Req, Resp any](t *testing.T, data []byte, serve func(*script[Req, Resp]) error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &script[Req, Resp]{ctx: ctx, rest: data}
	err := serve(s)
	var answered, succeeded, failed int64
	for i, m := range s.said {
		e := any(m).(interface {
			GetStarted() *pb.Started
			GetError() *pb.ItemError
			GetSummary() *pb.Summary
		})
		switch {
		case (e.GetStarted() != nil) != (i == 0):
			t.Fatalf("message %d is %v", i, m)
		case i == 0:
		case e.GetError() != nil:
			failed++
			checkRefusal(t, status.FromProto(e.GetError().GetStatus()))
		case e.GetSummary() != nil:
			answered = e.GetSummary().GetSucceeded() + e.GetSummary().GetFailed()
			if i != len(s.said)-1 || e.GetSummary().GetFailed() != failed || e.GetSummary().GetSucceeded() != succeeded {
				t.Fatalf("the summary %v after %d results and %d errors, at %d of %d", m, succeeded, failed, i, len(s.said))
			}
		default: // a result, or progress
			if r, ok := any(m).(interface{ GetProgress() *pb.Progress }); !ok || r.GetProgress() == nil {
				succeeded++
			}
		}
	}
	s.mu.Lock()
	items := int64(s.heard - 1)
	s.mu.Unlock()
	switch {
	case err != nil:
		checkRefusal(t, grpcserver.Status(err))
	case len(s.said) == 0 || answered != items:
		t.Fatalf("%d items, and a summary of %d", items, answered)
	}
}

// script is the server's side of a stream whose messages are all there from the beginning.
type script[Req, Resp any] struct {
	ctx  context.Context
	said []*Resp

	mu    sync.Mutex // the server's reader may still be at work when the stream has ended
	rest  []byte     // messages that were not read yet, each with its length before it
	heard int
}

// Recv takes the next message; bytes that are none are the end, as gRPC would break the stream off at them.
func (s *script[Req, Resp]) Recv() (*Req, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, n := protowire.ConsumeBytes(s.rest)
	m := new(Req)
	if n < 0 || proto.Unmarshal(data, any(m).(proto.Message)) != nil {
		return nil, io.EOF
	}
	s.rest = s.rest[n:]
	s.heard++
	return m, nil
}

func (s *script[Req, Resp]) Send(m *Resp) error {
	if _, err := proto.Marshal(any(m).(proto.Message)); err != nil { // what gRPC would fail to send
		return err
	}
	s.said = append(s.said, m)
	return nil
}

func (s *script[Req, Resp]) Context() context.Context     { return s.ctx }
func (s *script[Req, Resp]) SetHeader(metadata.MD) error  { return nil }
func (s *script[Req, Resp]) SendHeader(metadata.MD) error { return nil }
func (s *script[Req, Resp]) SetTrailer(metadata.MD)       {}
func (s *script[Req, Resp]) SendMsg(any) error            { panic("not used") }
func (s *script[Req, Resp]) RecvMsg(any) error            { panic("not used") }
