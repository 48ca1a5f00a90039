package native_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// talk is a client of either stream, so that one test can speak to both.
type talk interface {
	config(talkConfig) error
	item(sequence int64, i *pb.Image) error
	empty() error // sends a message that holds nothing
	CloseSend() error
	hear() (event, error)
}

type talkConfig struct {
	model, label string
	version      int64
	ordered      bool
	explain      *pb.ExplainConfig // of ExplainStream
	progress     bool              // of ExplainStream
	topK         int32             // of PredictStream
	rawOutputs   bool              // of PredictStream
}

// event is one message of the server.
type event struct {
	started  *pb.Started
	result   *result
	failure  *pb.ItemError
	draining *pb.Draining
	summary  *pb.Summary
	progress *pb.Progress
}

// result is what the results of both streams have in common.
type result struct {
	sequence int64
	answer   interface {
		GetImageId() string
		GetModel() *pb.ModelRef
		GetPredictions() []*pb.ClassScore
		GetTiming() *pb.Timing
	}
}

type talkKind struct {
	name string
	open func(ctx context.Context, c pb.ExplainServiceClient) (talk, error)
}

var (
	explainTalk = talkKind{"ExplainStream", func(ctx context.Context, c pb.ExplainServiceClient) (talk, error) {
		s, err := c.ExplainStream(ctx)
		return talkOf[pb.ExplainStreamRequest, pb.ExplainStreamResponse]{s,
			func(c talkConfig) *pb.ExplainStreamRequest {
				return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: &pb.ExplainStreamConfig{
					Model: c.model, Version: c.version, VersionLabel: c.label, Config: c.explain, Ordered: c.ordered, Progress: c.progress}}}
			},
			func(i *pb.ImageItem) *pb.ExplainStreamRequest {
				return &pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: i}}
			},
			func(m *pb.ExplainStreamResponse) *result {
				if m.GetResult() == nil {
					return nil
				}
				return &result{m.GetResult().GetSequence(), m.GetResult().GetResponse()}
			}}, err
	}}
	predictTalk = talkKind{"PredictStream", func(ctx context.Context, c pb.ExplainServiceClient) (talk, error) {
		s, err := c.PredictStream(ctx)
		return talkOf[pb.PredictStreamRequest, pb.PredictStreamResponse]{s,
			func(c talkConfig) *pb.PredictStreamRequest {
				return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{
					Model: c.model, Version: c.version, VersionLabel: c.label, TopK: c.topK, RawOutputs: c.rawOutputs, Ordered: c.ordered}}}
			},
			func(i *pb.ImageItem) *pb.PredictStreamRequest {
				return &pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: i}}
			},
			func(m *pb.PredictStreamResponse) *result {
				if m.GetResult() == nil {
					return nil
				}
				return &result{m.GetResult().GetSequence(), m.GetResult().GetResponse()}
			}}, err
	}}
)

// onBoth runs a test on both streams.
func onBoth(t *testing.T, test func(t *testing.T, kind talkKind)) {
	for _, kind := range []talkKind{predictTalk, explainTalk} {
		t.Run(kind.name, func(t *testing.T) { test(t, kind) })
	}
}

type talkOf[Req, Resp any] struct {
	grpc.BidiStreamingClient[Req, Resp]
	configOf func(talkConfig) *Req
	itemOf   func(*pb.ImageItem) *Req
	resultOf func(*Resp) *result
}

func (s talkOf[Req, Resp]) config(c talkConfig) error { return s.Send(s.configOf(c)) }

func (s talkOf[Req, Resp]) item(sequence int64, i *pb.Image) error {
	return s.Send(s.itemOf(&pb.ImageItem{Sequence: sequence, Image: i}))
}

func (s talkOf[Req, Resp]) empty() error { return s.Send(new(Req)) }

func (s talkOf[Req, Resp]) hear() (event, error) {
	m, err := s.Recv()
	if err != nil {
		return event{}, err
	}
	both := any(m).(interface {
		GetStarted() *pb.Started
		GetError() *pb.ItemError
		GetDraining() *pb.Draining
		GetSummary() *pb.Summary
	})
	e := event{both.GetStarted(), s.resultOf(m), both.GetError(), both.GetDraining(), both.GetSummary(), nil}
	if x, ok := any(m).(*pb.ExplainStreamResponse); ok {
		e.progress = x.GetProgress()
	}
	return e, nil
}

// dialogue opens streams of a kind on a rig.
type dialogue struct {
	rig  *rig
	kind talkKind
}

func (d dialogue) open(t *testing.T, ctx context.Context) talk {
	t.Helper()
	return must[talk](t)(d.kind.open(ctx, d.rig))
}

// begin opens a stream and hears that it started.
func (d dialogue) begin(t *testing.T, ctx context.Context, c talkConfig) (talk, *pb.Started) {
	t.Helper()
	s := d.open(t, ctx)
	if err := s.config(c); err != nil {
		t.Fatal(err)
	}
	e, err := s.hear()
	if err != nil || e.started == nil {
		t.Fatalf("the stream began with %+v, %v", e, err)
	}
	return s, e.started
}

// end is how a stream ends that the server does not start.
func (d dialogue) end(t *testing.T, c talkConfig, i *pb.Image) *status.Status {
	t.Helper()
	s := d.open(t, t.Context())
	s.config(c) // errors of sending are heard below
	s.item(0, i)
	s.CloseSend()
	e, err := s.hear()
	if err == nil {
		t.Fatalf("the stream began with %+v", e)
	}
	return status.Convert(err)
}

// itemError sends one bad image and returns the status of its item, in a stream that ends well.
func (d dialogue) itemError(t *testing.T, c talkConfig, i *pb.Image) *status.Status {
	t.Helper()
	s, _ := d.begin(t, t.Context(), c)
	if err := s.item(7, i); err != nil {
		t.Fatal(err)
	}
	s.CloseSend()
	all := hearAll(t, s)
	if all.end != nil || len(all.failures) != 1 || all.summary.GetFailed() != 1 || all.summary.GetSucceeded() != 0 {
		t.Fatalf("one bad image ended in %+v", all)
	}
	return all.failures[7]
}

// heard is all that a stream said after it started.
type heard struct {
	order    []int64 // sequences as they were answered
	results  map[int64]*result
	failures map[int64]*status.Status
	drained  int // how many were answered before draining was said; -1 if it was not
	summary  *pb.Summary
	end      *status.Status // nil for OK
	progress map[int64][]*pb.Progress
}

func hearAll(t *testing.T, s talk) heard {
	t.Helper()
	all := heard{results: map[int64]*result{}, failures: map[int64]*status.Status{}, drained: -1, progress: map[int64][]*pb.Progress{}}
	for {
		e, err := s.hear()
		switch {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			all.end = status.Convert(err)
			return all
		case all.summary != nil:
			t.Errorf("after the summary came %+v", e)
		case e.result != nil:
			all.order = append(all.order, e.result.sequence)
			all.results[e.result.sequence] = e.result
		case e.failure != nil:
			all.order = append(all.order, e.failure.GetSequence())
			all.failures[e.failure.GetSequence()] = status.FromProto(e.failure.GetStatus())
		case e.draining != nil:
			all.drained = len(all.order)
		case e.summary != nil:
			all.summary = e.summary
		case e.progress != nil:
			n := e.progress.GetSequence()
			if slices.Contains(all.order, n) {
				t.Errorf("after the answer to %d came %v", n, e.progress)
			}
			all.progress[n] = append(all.progress[n], e.progress)
		default:
			t.Errorf("an empty message, or started twice: %+v", e)
		}
	}
}
