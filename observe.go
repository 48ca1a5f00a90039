package explaind

import (
	"context"
	"time"
)

// Phase is a part of the work on a request, as timings, metrics and traces name it.
type Phase string

// The phases, in the order of a request.
const (
	PhaseQueue    Phase = "queue"    // waiting for a place among those that are worked on
	PhaseDecode   Phase = "decode"   // from bytes to the model's input
	PhaseBatch    Phase = "batch"    // waiting for a run of the model to begin
	PhaseForward  Phase = "forward"  // a run without gradients
	PhaseBackward Phase = "backward" // a run with gradients
	PhaseRender   Phase = "render"   // from raw maps to values and pictures
)

// Event is one phase that is over.
type Event struct {
	Phase Phase
	Began time.Time
	Took  time.Duration
	Rows  int // images or activations that ran together, those of other requests included; 0 where it makes no sense
}

// Observer follows the work on one request. Its methods may be called by many goroutines at once and must not wait.
type Observer interface {
	// Answers tells which version of a model answers, once that is known.
	Answers(ModelRef)
	Observe(Event)
}

type observerKey struct{}

// WithObserver returns a context whose work is observed.
func WithObserver(ctx context.Context, o Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, o)
}

// ObserverOf is the observer of a context; one that ignores everything if there is none.
func ObserverOf(ctx context.Context) Observer {
	if o, ok := ctx.Value(observerKey{}).(Observer); ok {
		return o
	}
	return unobserved{}
}

type unobserved struct{}

func (unobserved) Answers(ModelRef) {}
func (unobserved) Observe(Event)    {}

// Observe tells ctx's observer of a phase that ends now.
func Observe(ctx context.Context, phase Phase, began time.Time, rows int) {
	ObserverOf(ctx).Observe(Event{Phase: phase, Began: began, Took: time.Since(began), Rows: rows})
}

// StreamObserver is the Observer of a stream of images, which observes each of them for itself.
type StreamObserver interface {
	Observer
	// Item begins the work on one image. It returns the context of that work, whose observer is the image's own, and what
	// is to be called once with the image's outcome: nil when its answer was sent.
	Item(ctx context.Context, sequence int64) (item context.Context, end func(error))
}

// ObserveItem begins the work on one image of a stream, as ctx's observer would have it.
func ObserveItem(ctx context.Context, sequence int64) (item context.Context, end func(error)) {
	if o, ok := ObserverOf(ctx).(StreamObserver); ok {
		return o.Item(ctx, sequence)
	}
	return ctx, func(error) {}
}
