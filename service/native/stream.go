package native

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service/grpcserver"
)

// dialect is what the two kinds of streams do not share: their messages, and what is done with an image.
type dialect[Req, Resp any] interface {
	// open begins a session with the config in a stream's first message, and acquires the model.
	open(first *Req) (*session[Resp], error)
	// item is the image in a later message; nil if there is none.
	item(*Req) *pb.ImageItem

	started(*pb.Started) *Resp
	failed(*pb.ItemError) *Resp
	draining(*pb.Draining) *Resp
	summary(*pb.Summary) *Resp
}

// session is one config on one version of a model.
type session[Resp any] struct {
	model   explaind.ModelRef
	ordered bool
	// answer is called by many goroutines at once; what it tells before it returns is sent now and then.
	answer func(ctx context.Context, item *pb.ImageItem, tell func(*Resp)) (*Resp, error)
	close  func() // after the last answer returned
}

var (
	errConfigRequired = explaind.FieldError("config", "CONFIG_REQUIRED", "the first message of a stream must be its config")
	errItemRequired   = explaind.FieldError("item", "ITEM_REQUIRED",
		"every message after the first must be an item: a stream has one config, and an empty message asks nothing; the items before it were answered, send the others in a new stream")
	errDuplicate = explaind.FieldError("sequence", "DUPLICATE_SEQUENCE", "an item before this one had the same sequence; give each its own")
	errDraining  = &explaind.Error{Code: explaind.Unavailable, Reason: "SERVER_DRAINING", RetryAfter: time.Second,
		Message: "the server is stopping; send the items that were not answered to another one, or again in a moment"}
)

// drainLinger is how long a draining stream waits for the image that it may just be receiving.
const drainLinger = 50 * time.Millisecond

// stream is one bidirectional stream of images. All of it belongs to the goroutine of serve, which alone sends, counts
// and starts workers. Beside it run one reader and, for each image that is held, at most one worker.
type stream[Req, Resp any] struct {
	server   *Server
	method   string
	wire     grpc.BidiStreamingServer[Req, Resp]
	dialect  dialect[Req, Resp]
	session  *session[Resp]
	reader   *reader[Req]
	workers  sync.WaitGroup
	outcomes chan outcome[Resp] // holds a window, so that no worker waits
	told     chan outcome[Resp] // on the way to an outcome; lost if it would make a worker wait

	accepted int                   // images so far
	sent     int                   // answers so far
	used     sequences             // of the images so far
	working  map[int]bool          // by place: images on which a worker is
	early    map[int]outcome[Resp] // by place: answers of an ordered stream that wait for an earlier one
	summary  pb.Summary
}

// outcome is what became of one image.
type outcome[Resp any] struct {
	place    int // among the images of the stream, from 0
	sequence int64
	bytes    int64 // that the image's message holds
	answer   *Resp
	err      error
	end      func(error) // tells the observer
}

// serve runs a stream from its config to one of its ends:
//
//   - the caller has sent all: what was read is answered, then comes the summary, and OK;
//   - a message is no item: what was read before is answered, then INVALID_ARGUMENT;
//   - the server drains: the caller is told, no image is read but the one that may be arriving, what was read is answered,
//     then UNAVAILABLE. Images without an answer can be sent to another server;
//   - the caller is gone or the deadline has passed: all work stops.
//
// An image counts as held from its reading until its answer was sent, and no more than a window of them are: a caller
// that does not read its answers is no longer read from.
func serve[Req, Resp any](s *Server, wire grpc.BidiStreamingServer[Req, Resp], d dialect[Req, Resp]) error {
	closed, err := s.service.OpenStream()
	if err != nil {
		return err
	}
	defer closed()
	ctx, cancel := context.WithCancel(wire.Context())
	defer cancel()
	ctx = explaind.WithCaller(ctx, explaind.Caller{Client: explaind.CallerOf(ctx).Client, Stream: true})
	reader := read(ctx, wire, s.window)
	config, err := first(ctx, reader.messages, s.draining)
	if err != nil {
		return err
	}
	opened, err := d.open(config.message)
	if err != nil {
		return err
	}
	reader.free() // the config is no image
	reader.drop(config.bytes)
	method, _ := grpc.MethodFromServerStream(wire)
	c := &stream[Req, Resp]{
		server: s, method: method, wire: wire, dialect: d, session: opened, reader: reader,
		outcomes: make(chan outcome[Resp], s.window), told: make(chan outcome[Resp], s.window),
		working: map[int]bool{}, early: map[int]outcome[Resp]{},
	}
	defer opened.close()
	defer c.workers.Wait() // the model must not be given back while it is in use
	defer cancel()
	return c.run(ctx)
}

// first waits for the first message, which must be there.
func first[Req any](ctx context.Context, messages <-chan received[Req], draining <-chan struct{}) (m received[Req], err error) {
	select {
	case m, more := <-messages:
		switch {
		case !more: // the reader was stopped by ctx
			return m, ended(ctx)
		case errors.Is(m.err, io.EOF):
			return m, errConfigRequired
		}
		return m, m.err
	case <-draining:
		return m, errDraining
	case <-ctx.Done():
		return m, ended(ctx)
	}
}

// ended is why ctx ended, if it did.
func ended(ctx context.Context) error {
	err := explaind.FromContext(ctx)
	if err == nil {
		return nil
	}
	e := *explaind.AsError(err)
	e.Metadata = map[string]string{"phase": "STREAM"}
	return &e
}

func (c *stream[Req, Resp]) run(ctx context.Context) error {
	started := &pb.Started{Model: modelRef(c.session.model), MaxInFlight: int32(c.server.window)}
	if err := c.wire.Send(c.dialect.started(started)); err != nil {
		return err
	}
	messages, draining := c.reader.messages, c.server.draining
	var lingered <-chan time.Time
	var end error // why nothing more is read
	for reading := true; reading || c.sent < c.accepted || len(messages) > 0; {
		select {
		case m, more := <-messages:
			err := m.err
			switch {
			case !more: // the reader was stopped
				reading, messages = false, nil
			case err == nil:
				err = c.accept(ctx, m)
			case !errors.Is(err, io.EOF): // the stream is broken
				return err
			}
			if err != nil { // also while draining: who has sent all has all answered
				end, reading, messages, draining = err, false, nil, nil
				c.reader.stop()
			}
		case o := <-c.outcomes:
			delete(c.working, o.place)
			c.reader.drop(o.bytes)
			if err := c.deliver(o); err != nil {
				return err
			}
		case o := <-c.told:
			if !c.working[o.place] { // its outcome was faster
				continue
			}
			if err := c.wire.Send(o.answer); err != nil {
				return err
			}
		case <-draining:
			end, draining, lingered = errDraining, nil, time.After(drainLinger)
			c.reader.stop()
			if err := c.wire.Send(c.dialect.draining(&pb.Draining{})); err != nil {
				return err
			}
		case <-lingered:
			reading = false
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	switch {
	case end == nil: // the reader was stopped by ctx
		return ended(ctx)
	case errors.Is(end, io.EOF):
		return c.wire.Send(c.dialect.summary(&c.summary))
	default:
		return end
	}
}

// accept starts the work on one image. The error is for the caller of the stream.
func (c *stream[Req, Resp]) accept(ctx context.Context, m received[Req]) error {
	item := c.dialect.item(m.message)
	if item == nil {
		return errItemRequired
	}
	o := outcome[Resp]{place: c.accepted, sequence: item.GetSequence(), bytes: m.bytes}
	ctx, o.end = explaind.ObserveItem(ctx, o.sequence)
	c.accepted++
	if !c.used.add(o.sequence) {
		o.err = errDuplicate
		c.outcomes <- o
		return nil
	}
	c.working[o.place] = true
	c.workers.Go(func() {
		o.answer, o.err = c.work(ctx, item, c.tellOf(o))
		c.outcomes <- o
	})
	return nil
}

// tellEvery is how often a caller hears how far the work on an image is.
const tellEvery = 250 * time.Millisecond

// tellOf passes on what the work on an image tells, if the last time was long enough ago. It never waits.
func (c *stream[Req, Resp]) tellOf(o outcome[Resp]) func(*Resp) {
	last := time.Now()
	return func(message *Resp) {
		if time.Since(last) < tellEvery {
			return
		}
		last = time.Now()
		o.answer = message
		select {
		case c.told <- o:
		default:
		}
	}
}

// work answers one image. No interceptor sees what happens in it: panics and causes of errors are dealt with here.
func (c *stream[Req, Resp]) work(ctx context.Context, item *pb.ImageItem, tell func(*Resp)) (answer *Resp, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, grpcserver.Recovered(ctx, c.server.log, p)
		}
	}()
	answer, err = c.session.answer(ctx, item, tell)
	grpcserver.LogCause(ctx, c.server.log, c.method, err)
	return answer, err
}

// deliver sends an outcome, or those whose turn has come.
func (c *stream[Req, Resp]) deliver(o outcome[Resp]) error {
	if !c.session.ordered {
		return c.send(o)
	}
	c.early[o.place] = o
	for {
		next, ready := c.early[c.sent]
		if !ready {
			return nil
		}
		delete(c.early, next.place)
		if err := c.send(next); err != nil {
			return err
		}
	}
}

// send sends one outcome. An answer that is larger than a message may be becomes an error of its image.
func (c *stream[Req, Resp]) send(o outcome[Resp]) error {
	if o.err == nil {
		if o.err = c.wire.Send(o.answer); o.err == nil {
			c.summary.Succeeded++
		} else if !grpcserver.NotSent(o.err) {
			return o.err
		}
	}
	if o.err != nil {
		c.summary.Failed++
		failed := &pb.ItemError{Sequence: o.sequence, Status: grpcserver.StatusIn(c.wire.Context(), o.err).Proto()}
		if err := c.wire.Send(c.dialect.failed(failed)); err != nil {
			return err
		}
	}
	o.end(o.err)
	c.sent++
	c.reader.free()
	return nil
}
