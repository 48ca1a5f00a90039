package repository

import (
	"sync"

	"github.com/explaind/explaind"
)

// counted is an open model that knows how many use it. After retire it takes no new users, and the last one to leave
// closes it: closing under a running call would free the memory that the call computes on.
type counted struct {
	model explaind.Model
	ref   explaind.ModelRef

	mu      sync.Mutex
	users   int
	retired bool

	closed chan struct{} // closed after the model was
	err    error         // of closing it; read only after closed
}

func newCounted(m explaind.Model, ref explaind.ModelRef) *counted {
	return &counted{model: m, ref: ref, closed: make(chan struct{})}
}

// acquire returns nil once the model is retired.
func (c *counted) acquire() *explaind.Handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return nil
	}
	c.users++
	return explaind.NewHandle(c.model, c.ref, c.release)
}

func (c *counted) release() {
	c.mu.Lock()
	c.users--
	last := c.retired && c.users == 0
	c.mu.Unlock()
	if last {
		c.close()
	}
}

func (c *counted) retire() {
	c.mu.Lock()
	first := !c.retired
	c.retired = true
	unused := c.users == 0
	c.mu.Unlock()
	if first && unused {
		c.close()
	}
}

func (c *counted) close() {
	c.err = c.model.Close()
	close(c.closed)
}
