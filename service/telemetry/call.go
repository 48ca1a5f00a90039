package telemetry

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/explaind/explaind"
)

// call observes one call, or one image of a stream: it is an explaind.Observer.
type call struct {
	telemetry *Telemetry
	rpc       string     // "explaind.v1.ExplainService/Predict"
	span      trace.Span // nil if the call is not traced

	model  atomic.Pointer[modelKey] // nil until it is known, and for one that is going away
	queued atomic.Int64             // nanoseconds in the queue
	phases atomic.Int64             // that are over
}

// maxPhases bounds the spans below a call or an image: methods that mask the image run the model thousands of times.
const maxPhases = 100

// begin observes what ctx's span is for.
func (c *call) begin(ctx context.Context, t *Telemetry, rpc string) {
	c.telemetry, c.rpc = t, rpc
	if t.traces != nil {
		if span := trace.SpanFromContext(ctx); span.IsRecording() {
			c.span = span
		}
	}
}

// Answers is explaind.Observer's.
func (c *call) Answers(ref explaind.ModelRef) {
	key := keyOf(ref.Name, ref.Version)
	if c.telemetry.models.served(key) {
		c.model.Store(&key)
	}
	if c.span != nil {
		c.span.SetAttributes(attrModel.String(ref.Name), attrVersion.Int64(ref.Version))
	}
}

// Observe is explaind.Observer's.
func (c *call) Observe(e explaind.Event) {
	m, took := c.telemetry.metrics, e.Took.Seconds()
	switch e.Phase {
	case explaind.PhaseQueue:
		m.queueWait.Observe(took)
		c.queued.Add(int64(e.Took))
		c.telemetry.load.waited(e.Took)
	case explaind.PhaseDecode:
		m.decode.Observe(took)
	case explaind.PhaseRender:
		m.render.Observe(took)
	case explaind.PhaseBatch:
		if key := c.model.Load(); key != nil {
			m.batchWait.WithLabelValues(key.name, key.version).Observe(took)
		}
	case explaind.PhaseForward, explaind.PhaseBackward:
		if key := c.model.Load(); key != nil {
			m.run.WithLabelValues(key.name, key.version, string(e.Phase)).Observe(took)
		}
	}
	if c.span != nil && c.phases.Add(1) <= maxPhases {
		c.telemetry.traces.phase(c.span, e)
	}
}

// asked tells the span what is asked of the model.
func (c *call) asked(methods int) {
	if c.span != nil && methods > 0 {
		c.span.SetAttributes(attrMethods.Int(methods))
	}
}

// answered counts the outcome for the version that answered, and tells it to the span.
func (c *call) answered(o outcome) {
	m := c.telemetry.metrics
	if key := c.model.Load(); key != nil {
		m.answered.WithLabelValues(key.name, key.version, c.rpc, o.code.String()).Inc()
	}
	if o.shed != "" {
		m.shed.WithLabelValues(o.shed).Inc()
	}
	if c.span == nil {
		return
	}
	if o.reason != "" {
		c.span.SetAttributes(attrReason.String(o.reason))
	}
	if left := c.phases.Load() - maxPhases; left > 0 {
		c.span.SetAttributes(attrLeftOut.Int64(left))
	}
}

// item observes one image of a stream.
type item struct {
	call
	stream   *stream
	sequence int64
	began    time.Time
	over     atomic.Bool
}

func (i *item) end(err error) { i.endWith(outcomeOf(err)) }

// endWith is called when the answer was sent, and for all items when their stream ends: only the first time counts.
func (i *item) endWith(o outcome) {
	if i.over.Swap(true) {
		return
	}
	i.stream.forget(i)
	m := i.telemetry.metrics
	m.items.WithLabelValues(i.rpc, o.code.String(), m.reasons.bounded(o.reason)).Inc()
	m.itemSeconds.WithLabelValues(i.rpc).Observe(time.Since(i.began).Seconds())
	i.answered(o)
	if i.span != nil {
		if o.code != 0 {
			i.span.SetStatus(codes.Error, o.text)
		}
		i.span.End()
	}
}

// sequenceKey is where the lines of an item's log find its sequence.
type sequenceKey struct{}

// The attributes of spans.
const (
	attrModel    = attribute.Key("explaind.model")
	attrVersion  = attribute.Key("explaind.model.version")
	attrMethods  = attribute.Key("explaind.methods")
	attrRows     = attribute.Key("explaind.rows")
	attrReason   = attribute.Key("explaind.reason")
	attrSequence = attribute.Key("explaind.sequence")
	attrRequest  = attribute.Key("explaind.request_id")
	attrLeftOut  = attribute.Key("explaind.phases_left_out")
	attrClient   = attribute.Key("explaind.client")
)
