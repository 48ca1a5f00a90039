// Package lockedbuffer is a bytes.Buffer for several goroutines: what servers under test log to.
package lockedbuffer

import (
	"bytes"
	"sync"
)

// Buffer keeps what is written to it. Its zero value is empty; all methods may be called by many goroutines at once.
type Buffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String is all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
