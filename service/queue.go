package service

import (
	"container/list"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/explaind/explaind"
)

// queue gives out places. Who finds none free waits in the line of its flow, and the lines take turns, so that a client that
// sends a thousand requests keeps nobody else waiting for all of them. It may be used by many goroutines at once.
type queue struct {
	places int // that there are
	most   int // single requests that may wait

	mu     sync.Mutex
	taken  int
	lines  *list.List             // *line, the one whose turn is next in front; none of them is empty
	lineOf map[flow]*list.Element // of lines
	all    int                    // that wait
	single int                    // those of them that are no items of streams
	pace   pace
}

// flow is what waits in one line: the single requests of a client, or the items of all its streams.
type flow struct {
	client string
	stream bool
}

// line is those of a flow that wait, first come first served.
type line struct {
	flow    flow
	tickets *list.List // *ticket
}

// ticket stands for one request that waits.
type ticket struct {
	line  *line
	at    *list.Element // of line.tickets; nil when it waits no more
	ended chan struct{} // closed when it waits no more, but by its own will
	err   error         // why it was turned away; nil when it was given a place
}

// atOnce is the end of all waiting that never began.
var atOnce = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func newQueue(places, most int) *queue {
	return &queue{places: places, most: most, lines: list.New(), lineOf: map[flow]*list.Element{}}
}

// enter waits for a place. A single request is refused at once when the queue is full, Unavailable, and when its deadline
// would pass before its turn comes, DeadlineExceeded. An item of a stream always waits: who sends it is slowed down by that.
func (q *queue) enter(ctx context.Context) error {
	if err := explaind.FromContext(ctx); err != nil {
		return err
	}
	t, err := q.join(ctx)
	if err != nil {
		return err
	}
	select {
	case <-t.ended:
	case <-ctx.Done():
		if q.giveUp(t) {
			return explaind.FromContext(ctx)
		}
	}
	if t.err != nil {
		return t.err
	}
	if err := explaind.FromContext(ctx); err != nil { // it was given a place at the same moment
		q.leave()
		return err
	}
	return nil
}

// leave gives a place back, to the next one who waits.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	front := q.lines.Front()
	if front == nil {
		q.taken--
		return
	}
	l := front.Value.(*line)
	q.lines.MoveToBack(front)
	q.pace.depart()
	q.end(l.tickets.Front().Value.(*ticket), nil)
}

// load is how many wait and how many have a place.
func (q *queue) load() (waiting, taken int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all, q.taken
}

// join takes a ticket. If a place is free, the ticket has it already.
func (q *queue) join(ctx context.Context) (*ticket, error) {
	caller := explaind.CallerOf(ctx)
	f := flow{caller.Client, caller.Stream}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken < q.places { // nobody waits then
		q.taken++
		return &ticket{ended: atOnce}, nil
	}
	if f.stream {
		return q.append(f), nil
	}
	full := q.single >= q.most
	last := q.lastOfLongest(f)
	if full && last == nil {
		return nil, q.overloaded()
	}
	if err := q.hopeless(ctx, q.ahead(f)); err != nil {
		return nil, err
	}
	if full { // of others' requests, and who sent most of them has to step back
		q.end(last, q.overloaded())
	}
	return q.append(f), nil
}

func (q *queue) append(f flow) *ticket {
	at, ok := q.lineOf[f]
	if !ok {
		at = q.lines.PushBack(&line{f, list.New()})
		q.lineOf[f] = at
	}
	t := &ticket{line: at.Value.(*line), ended: make(chan struct{})}
	t.at = t.line.tickets.PushBack(t)
	if q.all == 0 {
		q.pace.stand()
	}
	q.count(f, 1)
	return t
}

// end takes a ticket out of its line and tells its holder.
func (q *queue) end(t *ticket, err error) {
	q.remove(t)
	t.err = err
	close(t.ended)
}

func (q *queue) remove(t *ticket) {
	t.line.tickets.Remove(t.at)
	t.at = nil
	if t.line.tickets.Len() == 0 {
		q.lines.Remove(q.lineOf[t.line.flow])
		delete(q.lineOf, t.line.flow)
	}
	q.count(t.line.flow, -1)
}

func (q *queue) count(f flow, n int) {
	q.all += n
	if !f.stream {
		q.single += n
	}
}

// giveUp takes a ticket back whose holder waits no more. It is false if the ticket has ended already.
func (q *queue) giveUp(t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.at == nil {
		return false
	}
	q.remove(t)
	return true
}

// ahead is how many come before one that joins the line of f now.
func (q *queue) ahead(f flow) int {
	own := q.length(f)
	n := own
	for e := q.lines.Front(); e != nil; e = e.Next() {
		if l := e.Value.(*line); l.flow != f {
			n += min(l.tickets.Len(), own+1) // as many of this line have their turn until the own one comes
		}
	}
	return n
}

func (q *queue) length(f flow) int {
	if at, ok := q.lineOf[f]; ok {
		return at.Value.(*line).tickets.Len()
	}
	return 0
}

// lastOfLongest is the last one of the longest line of single requests, if that is longer than the line of f will be.
func (q *queue) lastOfLongest(f flow) *ticket {
	longest, most := (*line)(nil), q.length(f)+1
	for e := q.lines.Front(); e != nil; e = e.Next() {
		if l := e.Value.(*line); !l.flow.stream && l.tickets.Len() > most {
			longest, most = l, l.tickets.Len()
		}
	}
	if longest == nil {
		return nil
	}
	return longest.tickets.Back().Value.(*ticket)
}

// What callers are told to wait before they call again. Sooner than a second is no help: what stands before them is under way
// by then at best. Later than half a minute nobody can tell.
const (
	leastRetry = time.Second
	mostRetry  = 30 * time.Second
)

// overloaded is the answer to one too many: to come back when the queue will have moved on.
func (q *queue) overloaded() error {
	e := explaind.Errorf(explaind.Unavailable, "OVERLOADED",
		"the server is busy: %d images are worked on and %d wait, as many as may; call again after a moment, or send many images as a stream, which waits", q.taken, q.all)
	e.RetryAfter = min(max(q.pace.of(q.all), leastRetry), mostRetry).Round(time.Millisecond)
	e.Metadata = map[string]string{"max_queue": strconv.Itoa(q.most)}
	return e
}

// hopeless refuses a request whose deadline will have passed when those ahead have left. The first in line is never refused:
// its wait is what the pace is measured by, and a pace that was wrong once would stay so.
func (q *queue) hopeless(ctx context.Context, ahead int) error {
	deadline, ok := ctx.Deadline()
	if !ok || ahead == 0 {
		return nil
	}
	left, wait := time.Until(deadline), q.pace.of(ahead+1)
	if wait <= left {
		return nil
	}
	return tooShort(left, wait, fmt.Sprintf("%d others come before it", ahead))
}

// tooShort refuses a request that could not begin before its deadline.
func tooShort(left, wait time.Duration, why string) error {
	e := explaind.Errorf(explaind.DeadlineExceeded, "DEADLINE_TOO_SHORT",
		"the deadline passes in %v and the request would begin after about %v, because %s; allow more time, or call again when the server is less busy",
		left.Round(time.Millisecond), wait.Round(time.Millisecond), why)
	e.Metadata = map[string]string{"estimated_wait_ms": strconv.FormatInt(wait.Milliseconds(), 10)}
	return e
}
