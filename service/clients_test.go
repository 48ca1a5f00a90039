package service

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/explaind/explaind"
)

// entered counts a client in, which must be let in.
func entered(ctx context.Context, t *testing.T, c *clients) func() {
	t.Helper()
	leave, err := c.enter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestClientInFlight(t *testing.T) {
	c := newClients(2, 0, 0)
	a := of(t.Context(), "a", false)
	first, second := entered(a, t, c), entered(a, t, c)
	_, err := c.enter(a)
	e := explaind.AsError(err)
	if e.Code != explaind.ResourceExhausted || e.Reason != "CLIENT_LIMIT" || e.RetryAfter <= 0 || e.ResourceType != "client" || e.ResourceName != "a" || e.Metadata["max_client_in_flight"] != "2" {
		t.Errorf("the third: %+v", e)
	}
	// Others, streams and this process are not concerned.
	for _, ctx := range []context.Context{of(t.Context(), "b", false), of(t.Context(), "a", true), t.Context(), t.Context(), t.Context()} {
		defer entered(ctx, t, c)()
	}
	first()
	third := entered(a, t, c)
	second()
	third()
	if c.known["a"].singles != 0 || c.known["a"].users != 1 {
		t.Errorf("%+v", c.known["a"])
	}
}

func TestClientRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClients(0, 2, 3)
		a := of(t.Context(), "a", false)
		for range 3 {
			entered(a, t, c)()
		}
		_, err := c.enter(a)
		e := explaind.AsError(err)
		if e.Code != explaind.ResourceExhausted || e.Reason != "CLIENT_LIMIT" || e.RetryAfter < 500*time.Millisecond || e.RetryAfter > 510*time.Millisecond {
			t.Errorf("the fourth: %v, again after %v", e, e.RetryAfter)
		}
		time.Sleep(e.RetryAfter)
		entered(a, t, c)()
		// Items of a stream wait.
		began := time.Now()
		for range 4 {
			entered(of(t.Context(), "a", true), t, c)()
		}
		if took := time.Since(began); took < 1900*time.Millisecond || took > 2*time.Second {
			t.Errorf("four items took %v", took)
		}
		ctx, cancel := context.WithTimeout(of(t.Context(), "a", true), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		if _, err := c.enter(ctx); explaind.AsError(err).Reason != "DEADLINE_TOO_SHORT" || time.Since(began) != 0 {
			t.Errorf("an item whose stream ends sooner: %v", err)
		}
		gone, leave := context.WithCancel(of(t.Context(), "a", true))
		time.AfterFunc(time.Millisecond, leave)
		if _, err := c.enter(gone); explaind.AsError(err).Code != explaind.Canceled {
			t.Errorf("an item whose stream is gone: %v", err)
		}
		if len(c.known) != 1 || c.known["a"].users != 0 {
			t.Errorf("known: %v", c.known)
		}
	})
}

// The table of clients does not grow without end, and forgets nobody who has something under way.
func TestClientsAreForgotten(t *testing.T) {
	c := newClients(10, 0.001, 1)
	leave := entered(of(t.Context(), "busy", false), t, c)
	for i := range 2 * maxClients {
		entered(of(t.Context(), fmt.Sprint(i), false), t, c)()
	}
	if len(c.known) > maxClients || c.known["busy"] == nil {
		t.Errorf("%d clients are known", len(c.known))
	}
	leave()
	rested := newClients(1, 0, 0)
	entered(of(t.Context(), "a", false), t, rested)()
	if len(rested.known) != 0 {
		t.Error("who has nothing under way is still known")
	}
}
