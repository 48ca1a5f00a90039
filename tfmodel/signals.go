package tfmodel

// #include <pthread.h>
// #include <signal.h>
//
// static void mask_profiler(int how) {
//   sigset_t set;
//   sigemptyset(&set);
//   sigaddset(&set, SIGPROF);
//   pthread_sigmask(how, &set, NULL);
// }
// static void block_profiler(void) { mask_profiler(SIG_BLOCK); }
// static void unblock_profiler(void) { mask_profiler(SIG_UNBLOCK); }
import "C"

import "runtime"

// unprofiled does work whose new threads never get the signal of Go's CPU profiler. Threads inherit the mask of signals of the
// one that starts them. On TensorFlow's own threads that signal damages memory: their kernels are made at run time, and some
// use the memory that a signal's handler takes for the thread's free stack. A profile then shows what Go does and, as one
// line, the calls of TensorFlow.
func unprofiled(work func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	C.block_profiler()
	defer C.unblock_profiler()
	work()
}
