package tfmodel

import (
	"runtime"
	"sync"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"golang.org/x/sys/unix"
)

// gentleNice is the nice value of a thread that loads: the system gives it a tenth of what a thread that serves gets where
// both want the same core, and all of it where nobody else does.
const gentleNice = 10

// gentleSlice is how long such a thread keeps a core from one that serves and wakes up, where the system can be told: since
// Linux 6.12. Left alone, it is some milliseconds, as long as a small model's run.
const gentleSlice = 100 * time.Microsecond

// gently does work on a thread of low priority and waits for it. The optimiser of TensorFlow works for seconds on the
// thread that a session's first run is called from; as one more thread among those that serve, it would take its share of
// their cores. Threads and processes that are started by the work inherit the priority.
func gently(work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, since a priority that was lowered cannot be raised again.
		runtime.LockOSThread()
		// In vain where the process is nicer already; the work is right either way.
		if unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: gentleNice, Runtime: uint64(gentleSlice)}, 0) != nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), gentleNice)
		}
		work()
	}()
	<-done
}

var pools sync.Once

// startPools makes TensorFlow start the threads that all models compute on, which it does with a process' first session:
// started by gently's thread, they would be of low priority for good.
func startPools(o options) (err error) {
	pools.Do(func() {
		unprofiled(func() {
			graph := tf.NewGraph()
			defer freeGraph(graph)
			var s *tf.Session
			if s, err = tf.NewSession(graph, sessionOptions(o.intra, o.inter, false)); err == nil {
				err = s.Close()
			}
		})
	})
	return err
}
