package native_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

// A caller that does not read its answers is not read from, and costs no more than its window.
func TestStreamSlowReader(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		// Answers of 256×256×4 bytes are more than flow control lets pass unread.
		m := fakemodel.New(256, "red", "green", "blue")
		s := one(m)
		s.tcp, s.options.MaxInFlight = tcp, 2 // a window of 4
		r := start(t, s)
		const n = 30
		stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{})
		picture := shade(3).image(t)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range int64(n) {
				if err := stream.item(i, picture); err != nil {
					t.Errorf("sending: %v", err)
				}
			}
			stream.CloseSend()
		}()
		last := -1
		eventually(t, "the server stops working", func() bool {
			before := m.Runs()
			time.Sleep(300 * time.Millisecond)
			last = m.Runs()
			return last == before && last > 0
		})
		// The window, and what gRPC holds beside it: one answer in its buffer and what the wire takes.
		if last > 12 {
			t.Errorf("%d answers were made for nobody", last)
		}
		all := hearAll(t, stream)
		<-sent
		if all.end != nil || all.summary.GetSucceeded() != n {
			t.Errorf("ended with %v, %v", all.end, all.summary)
		}
	})
}

// A panic in the model is the error of one image. The log has what the caller does not see.
func TestStreamPanics(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		m := colours()
		var runs atomic.Int64
		m.BeforeRun = func(context.Context) error {
			if runs.Add(1)%2 == 0 {
				panic("secret of the runtime")
			}
			return nil
		}
		s := one(m)
		s.options.MaxInFlight = 3
		r := start(t, s)
		stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
		for i := range int64(20) {
			stream.item(i, named(t, shade(i), i))
		}
		stream.CloseSend()
		all := hearAll(t, stream)
		if all.end != nil || all.summary.GetSucceeded() != 10 || all.summary.GetFailed() != 10 {
			t.Fatalf("ended with %v, %v", all.end, all.summary)
		}
		for i, s := range all.failures {
			badRequest{code: codes.Internal, reason: "PANIC"}.check(t, name("item %d", i), s)
			if strings.Contains(s.Message(), "secret") {
				t.Errorf("the caller learns %q", s.Message())
			}
		}
		for _, x := range all.results {
			checkShade(t, x)
		}
		log := r.log.String()
		if n := strings.Count(log, "secret of the runtime"); n != 10 {
			t.Errorf("the log has %d of 10 panics", n)
		}
		if !strings.Contains(log, "TestStreamPanics") {
			t.Error("the log does not say where it happened")
		}
	})
}

// An internal error is logged with its cause and its method, which the caller does not see.
func TestStreamInternalErrors(t *testing.T) {
	m := colours()
	m.BeforeRun = func(context.Context) error { return errors.New("tensor soup") }
	r := start(t, one(m))
	s := dialogue{r, explainTalk}.itemError(t, talkConfig{}, shade(1).image(t))
	badRequest{code: codes.Internal, reason: "INTERNAL"}.check(t, "item", s)
	if strings.Contains(s.Message(), "soup") {
		t.Errorf("the caller learns %q", s.Message())
	}
	if log := r.log.String(); !strings.Contains(log, "tensor soup") || !strings.Contains(log, "/explaind.v1.ExplainService/ExplainStream") {
		t.Errorf("the log has not the cause: %s", log)
	}
}

// An answer that is larger than a message may be is the error of its image.
func TestStreamAnswerTooLarge(t *testing.T) {
	free := colours()
	free.Spec().Input.Height, free.Spec().Input.Width = 0, 0
	s := one(free)
	s.server.MaxMessageBytes = 4000
	r := start(t, s)
	stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{ordered: true})
	large := painting{40, 40, func(int, int) [3]uint8 { return [3]uint8{255, 0, 0} }}
	stream.item(0, named(t, shade(0), 0))
	stream.item(1, large.image(t)) // 6400 bytes of values
	stream.item(2, named(t, shade(2), 2))
	stream.CloseSend()
	all := hearAll(t, stream)
	if all.end != nil || all.summary.GetSucceeded() != 2 || all.summary.GetFailed() != 1 {
		t.Fatalf("ended with %v, %v", all.end, all.summary)
	}
	badRequest{code: codes.ResourceExhausted, reason: "ANSWER_TOO_LARGE"}.check(t, "item", all.failures[1])
	checkShade(t, all.results[0])
	checkShade(t, all.results[2])

	_, err := r.Explain(t.Context(), &pb.ExplainRequest{Image: large.image(t)})
	badRequest{code: codes.ResourceExhausted, reason: "ANSWER_TOO_LARGE"}.check(t, "Explain", status.Convert(err))
}

// An image that is larger than a message may be ends the stream, as gRPC has it; its text has both sizes.
func TestMessageTooLarge(t *testing.T) {
	s := one(colours())
	s.server.MaxMessageBytes = 4000
	r := start(t, s)
	large := tensorless(make([]byte, 5000))
	_, unary := r.Predict(t.Context(), &pb.PredictRequest{Image: large})
	stream, _ := dialogue{r, explainTalk}.begin(t, t.Context(), talkConfig{})
	stream.item(0, large)
	stream.CloseSend()
	for what, s := range map[string]*status.Status{"Predict": status.Convert(unary), "ExplainStream": hearAll(t, stream).end} {
		if s.Code() != codes.ResourceExhausted || !strings.Contains(s.Message(), "larger than max") || !strings.Contains(s.Message(), "4000") {
			t.Errorf("%s: %v", what, s)
		}
	}
}
