package repository

import (
	"sync"

	"github.com/explaind/explaind"
)

// counted is an open model that knows how many use it. After retire it takes no new users, and when the last one has left
// it is closed: closing under a running call would free the memory that the call computes on.
type counted struct {
	model explaind.Model
	ref   explaind.ModelRef
	freed func(*counted) // called when the model is closed

	mu      sync.Mutex
	users   int
	retired bool

	closed chan struct{} // closed after the model was, and freed called
	err    error         // of closing it; read only after closed, or by freed
}

func newCounted(m explaind.Model, ref explaind.ModelRef, freed func(*counted)) *counted {
	return &counted{model: m, ref: ref, freed: freed, closed: make(chan struct{})}
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

// release leaves closing to a goroutine of its own: no request has to wait for it.
func (c *counted) release() {
	c.mu.Lock()
	c.users--
	last := c.retired && c.users == 0
	c.mu.Unlock()
	if last {
		go c.close()
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
	defer close(c.closed)
	c.err = closeModel(c.model)
	c.freed(c)
}

// closeModel is Close, whose panic is an error.
func closeModel(m explaind.Model) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return m.Close()
}
