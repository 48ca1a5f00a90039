package telemetry

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// load is what balancers want to know: how busy the server is.
type load struct {
	sources atomic.Pointer[Sources]

	mu     sync.Mutex
	wait   float64 // in milliseconds, a mean over the last images
	waitAt time.Time

	cpu struct {
		sync.Mutex
		at    time.Time
		spent time.Duration
		share float64
	}
}

const (
	// waitMemory is how fast a wait in the queue is forgotten when no other follows.
	waitMemory = 10 * time.Second
	// waitWeight is that of one image in the mean.
	waitWeight = 0.1
	// cpuEvery is how old the processor's share may be.
	cpuEvery = time.Second
)

func (l *load) watch(s Sources) { l.sources.Store(&s) }

// waited takes the time that one image waited.
func (l *load) waited(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.wait = (1-waitWeight)*l.faded(now) + waitWeight*float64(took)/float64(time.Millisecond)
	l.waitAt = now
}

func (l *load) faded(now time.Time) float64 {
	return l.wait * math.Exp(-float64(now.Sub(l.waitAt))/float64(waitMemory))
}

// queueMillis is how long images waited of late.
func (l *load) queueMillis() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faded(time.Now())
}

// utilisation is the images that are worked on for each that may be at once; 0 if that is not known. Above 1 there are
// requests that take turns.
func (l *load) utilisation() float64 {
	s := l.sources.Load()
	if s == nil || s.Load == nil || s.MaxInFlight <= 0 {
		return 0
	}
	return float64(s.Load().InFlight) / float64(s.MaxInFlight)
}

// cpuShare is how much of the processors this process had of late, TensorFlow's threads included: 1 is all of them.
func (l *load) cpuShare() float64 {
	l.cpu.Lock()
	defer l.cpu.Unlock()
	now := time.Now()
	since := now.Sub(l.cpu.at)
	if since < cpuEvery {
		return l.cpu.share
	}
	spent, ok := processorTime()
	if !ok {
		return l.cpu.share
	}
	if !l.cpu.at.IsZero() {
		l.cpu.share = float64(spent-l.cpu.spent) / float64(since) / float64(runtime.GOMAXPROCS(0))
	}
	l.cpu.at, l.cpu.spent = now, spent
	return l.cpu.share
}

// processorTime is what all threads of the process have spent.
func processorTime() (spent time.Duration, ok bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, false
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), true
}
