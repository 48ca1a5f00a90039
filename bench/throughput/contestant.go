package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// contestant is one way to have images answered: callers at once, each of whom has images answered with every call.
type contestant struct {
	name    string
	callers int
	images  int
	call    func(caller int) error

	perSecond []float64     // images, one number for each turn
	calls     []float64     // milliseconds, of all turns
	cpu       time.Duration // of all threads of the process, in all turns
	done      int           // images in all turns
}

// turn lets the contestant run for a slice of time, and until each caller had some answers. Nobody is cut off: the calls
// under way at the end count, and so does the time that they take.
func (c *contestant) turn(slice time.Duration) error {
	const least = 2 // calls of each caller
	var done atomic.Int64
	var lock sync.Mutex
	var failure error
	var all sync.WaitGroup
	began, cpu := time.Now(), cpuTime()
	for caller := range c.callers {
		all.Go(func() {
			var own []float64
			for n := 0; n < least || time.Since(began) < slice; n++ {
				start := time.Now()
				if err := c.call(caller); err != nil {
					lock.Lock()
					failure = fmt.Errorf("%s: %w", c.name, err)
					lock.Unlock()
					return
				}
				own = append(own, milliseconds(time.Since(start)))
				done.Add(int64(c.images))
			}
			lock.Lock()
			defer lock.Unlock()
			c.calls = append(c.calls, own...)
		})
	}
	all.Wait()
	c.cpu += cpuTime() - cpu
	c.done += int(done.Load())
	c.perSecond = append(c.perSecond, float64(done.Load())/time.Since(began).Seconds())
	return failure
}

// warm calls once from every caller, outside of what counts.
func (c *contestant) warm() error {
	counted := contestant{name: c.name, callers: c.callers, images: c.images, call: c.call}
	return counted.turn(0)
}

// rate is the median of the images a second.
func (c *contestant) rate() float64 { return quantile(c.perSecond, 0.5) }

// work is the processor's milliseconds for one image. Other processes on the machine hardly change it.
func (c *contestant) work() float64 { return milliseconds(c.cpu) / float64(c.done) }

// cpuTime is what all threads of this process have used.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // only wrong arguments make it fail
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// latency is a quantile of the milliseconds a call took.
func (c *contestant) latency(q float64) float64 { return quantile(c.calls, q) }

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// field is all that take part, by name.
type field []*contestant

func (f field) named(name string) *contestant {
	for _, c := range f {
		if c.name == name {
			return c
		}
	}
	return nil
}

// only leaves those whose name holds a text.
func (f field) only(text string) field {
	return slices.DeleteFunc(f, func(c *contestant) bool { return !strings.Contains(c.name, text) })
}

// run lets all take their turns.
func (f field) run(rounds int, slice time.Duration) error {
	for _, c := range f {
		if err := c.warm(); err != nil {
			return err
		}
	}
	for range rounds {
		for _, c := range f {
			if err := c.turn(slice); err != nil {
				return err
			}
		}
	}
	return nil
}
