package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/tfmodel"
)

const (
	// apartNice is the nice value of the process that compiles: it gets what the others leave.
	apartNice = 19
	// apartSlice is how long it keeps a core from another process that wakes up, where the system can be told.
	apartSlice = 100 * time.Microsecond
	// apartTime is more than the largest model takes on a machine that has other things to do.
	apartTime = time.Hour
	// lastWords is how much of the beginning and of the end of the process' standard error is kept, in bytes: TensorFlow tells
	// what it does not like before it lists how it came there.
	lastWords = 2 << 10
)

// compileApart compiles in a process of its own, which is this program's "compile". TensorFlow ends a process over some
// malformed graphs, and so does the system over one that takes too much memory: here, the models that serve are not in it.
func compileApart(r runtimeFlags) tfmodel.Compiler {
	return func(ctx context.Context, dir, cacheDir string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, apartTime, explaind.Errorf(explaind.FailedPrecondition, "COMPILE_TIMEOUT",
			"the model was not compiled within %v; export it without the computation that takes so long", apartTime))
		defer cancel()
		// The file that runs, even if another lies in its place by now.
		cmd := exec.CommandContext(ctx, "/proc/self/exe", "compile", "--json", "--cache", cacheDir,
			"--threads", strconv.FormatUint(uint64(r.threads), 10), "--memory-check="+strconv.FormatBool(r.memoryCheck), "--", dir)
		cmd.Args[0] = os.Args[0]
		cmd.Env = append(os.Environ(), "GOTRACEBACK=none") // TensorFlow's own last line is what tells
		// It gets no signal from a terminal, and ends with this process, however that ends.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		cmd.WaitDelay = time.Second
		var out bytes.Buffer
		var said ends
		cmd.Stdout, cmd.Stderr = &out, &said
		err := runNicely(cmd)
		if ended := explaind.FromContext(ctx); ended != nil && err != nil {
			return ended
		}
		return verdict(out.Bytes(), said.String(), err)
	}
}

// runNicely is cmd.Run with a low priority, and as the first that the system ends if memory gets short.
func runNicely(cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		// The process inherits the thread's priority and is bound to the thread's life. The lock is never released: the
		// thread ends with the goroutine, since a priority that was lowered cannot be raised again.
		runtime.LockOSThread()
		// Both in vain if the process is nicer already.
		if unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: apartNice, Runtime: uint64(apartSlice)}, 0) != nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), apartNice)
		}
		if err := cmd.Start(); err != nil {
			done <- err
			return
		}
		// In vain where there is no such file; then the system chooses.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("1000"), 0)
		done <- cmd.Wait()
	}()
	return <-done
}

// verdict is what became of the compilation: the error that the process printed, or that of its end.
func verdict(out []byte, said string, err error) error {
	var line compileLine
	told := json.Unmarshal(out, &line) == nil
	if told && line.Error != nil {
		return &explaind.Error{Code: codeNamed(line.Error.Code), Reason: line.Error.Reason, Message: line.Error.Message}
	}
	if err == nil {
		return nil
	}
	exit, ended := errors.AsType[*exec.ExitError](err)
	if !ended {
		e := explaind.Errorf(explaind.FailedPrecondition, "COMPILER_NOT_STARTED", "the process that compiles models cannot be started; the server's log has the cause")
		e.Err = err
		return e
	}
	what := "ended over it: its graph is malformed; export the model again"
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		what = "killed, most often because memory ran out; give it more memory, or a smaller model"
	}
	e := explaind.Errorf(explaind.FailedPrecondition, "MODEL_CRASHED_TENSORFLOW",
		"the process that compiled the model was %s (the server's log has TensorFlow's last words)", what)
	e.Err = fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(said), " "))
	return e
}

// codeNamed is the code that codeName spells so.
func codeNamed(name string) explaind.Code {
	for code := explaind.Internal; code <= explaind.PermissionDenied; code++ {
		if codeName(grpcserver.Status(&explaind.Error{Code: code}).Code()) == name {
			return code
		}
	}
	return explaind.Internal
}

// ends keeps the beginning and the end of what is written to it.
type ends struct {
	first, last []byte
	cut         bool
}

func (e *ends) Write(p []byte) (int, error) {
	n := min(len(p), lastWords-len(e.first))
	e.first = append(e.first, p[:n]...)
	e.last = append(e.last, p[n:]...)
	if more := len(e.last) - lastWords; more > 0 {
		e.last, e.cut = e.last[more:], true
	}
	return len(p), nil
}

func (e *ends) String() string {
	if e.cut {
		return string(e.first) + " … " + string(e.last)
	}
	return string(e.first) + string(e.last)
}
