package service

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/explaind/explaind"
)

// maxClients bounds the table of clients: addresses are easy to come by.
const maxClients = 10_000

// clients bounds what each single client may have under way, and how fast it may send. What comes from the server's own
// process has no bound.
type clients struct {
	inFlight int // single requests; 0 for no bound
	rate     rate.Limit
	burst    int // images that may come at once; 0 for no bound

	mu    sync.Mutex
	known map[string]*client
}

type client struct {
	name    string
	singles int // single requests under way
	users   int // all that is under way
	limiter *rate.Limiter
}

// newClients takes the bounds. Without a burst it is the images of one second.
func newClients(inFlight int, perSecond float64, burst int) *clients {
	c := &clients{inFlight: inFlight, known: map[string]*client{}}
	if perSecond > 0 {
		if burst == 0 {
			burst = max(int(perSecond), 1)
		}
		c.rate, c.burst = rate.Limit(perSecond), burst
	}
	return c
}

// enter counts an image in, until leave. A single request that is too many is refused; an item of a stream waits until the
// client may send another one.
func (c *clients) enter(ctx context.Context) (leave func(), err error) {
	caller := explaind.CallerOf(ctx)
	if caller.Client == "" || c.inFlight == 0 && c.burst == 0 {
		return func() {}, nil
	}
	x, err := c.count(caller)
	if err != nil {
		return nil, err
	}
	leave = func() { c.discount(x, caller.Stream) }
	if err := x.pace(ctx, caller.Stream); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (c *clients) count(caller explaind.Caller) (*client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.known[caller.Client]
	if x == nil {
		c.makeRoom()
		x = &client{name: caller.Client}
		if c.burst > 0 {
			x.limiter = rate.NewLimiter(c.rate, c.burst)
		}
		c.known[caller.Client] = x
	}
	if !caller.Stream {
		if c.inFlight > 0 && x.singles >= c.inFlight {
			return nil, x.limited(time.Second, "max_client_in_flight", c.inFlight,
				"%d images of this client are under way, as many as each client may have; wait for one of the answers, or send the images as a stream, which waits", x.singles)
		}
		x.singles++
	}
	x.users++
	return x, nil
}

func (c *clients) discount(x *client, stream bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !stream {
		x.singles--
	}
	x.users--
	if x.forgettable(true) {
		delete(c.known, x.name)
	}
}

// makeRoom forgets clients that have nothing under way, if there are too many: first those whose past does not matter any
// more. Of the others some may send a burst once more than they should.
func (c *clients) makeRoom() {
	for _, only := range []bool{true, false} {
		if len(c.known) < maxClients {
			return
		}
		for name, x := range c.known {
			if x.forgettable(only) {
				delete(c.known, name)
			}
		}
	}
}

// forgettable tells whether nothing of the client is under way and, if that matters, it may send a whole burst again.
func (x *client) forgettable(rested bool) bool {
	return x.users == 0 && (!rested || x.limiter == nil || x.limiter.Tokens() >= float64(x.limiter.Burst()))
}

// pace has the client send no faster than it may.
func (x *client) pace(ctx context.Context, stream bool) error {
	if x.limiter == nil {
		return nil
	}
	r := x.limiter.Reserve()
	delay := r.Delay()
	if delay == 0 {
		return nil
	}
	if !stream {
		r.Cancel()
		return x.limited(delay.Round(time.Millisecond)+time.Millisecond, "max_client_burst", x.limiter.Burst(),
			"this client sends more than %v images a second, as many as each client may; send the next one after %v, or send the images as a stream, which waits",
			x.limiter.Limit(), delay.Round(time.Millisecond))
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
		r.Cancel()
		return tooShort(time.Until(deadline), delay, fmt.Sprintf("this client may send %v images a second", x.limiter.Limit()))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return explaind.FromContext(ctx)
	}
}

// limited is the answer to a client that asks for more than it may.
func (x *client) limited(after time.Duration, limit string, value int, format string, args ...any) error {
	e := explaind.Errorf(explaind.ResourceExhausted, "CLIENT_LIMIT", format, args...)
	e.RetryAfter = after
	e.ResourceType, e.ResourceName = "client", x.name
	e.Metadata = map[string]string{limit: strconv.Itoa(value)}
	return e
}
