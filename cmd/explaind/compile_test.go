package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
)

func (r *rig) compile(cache string, folders ...string) outcome {
	return r.run(append([]string{"compile", "--json", "--cache", cache}, folders...)...)
}

// A compiled model is found the next time, one that cannot be compiled does not keep the others from it.
func TestCompile(t *testing.T) {
	r, cache := newRig(t), t.TempDir()
	models := t.TempDir()
	for _, version := range []string{"1", "2"} {
		must(t, os.CopyFS(filepath.Join(models, "module", version), os.DirFS(zoo.Folder(t, "module"))))
	}
	write(t, filepath.Join(models, "broken", "1", "saved_model.pb"), "<html>")
	first := r.compile(cache, models)
	first.want(t, statusSomeFailed, "1 of 3 models failed")
	got := lines[compileLine](t, first)
	if len(got) != 3 {
		t.Fatalf("%d lines: %s", len(got), first.stdout)
	}
	if e := got[0].Error; e == nil || e.Reason != "CORRUPT" || e.Code != "FAILED_PRECONDITION" {
		t.Errorf("the broken model: %+v", got[0])
	}
	// Both versions are the same model.
	for i, found := range []bool{false, true} {
		line := got[1+i]
		if line.Error != nil || line.Found != found || line.Layers != 3 || line.Bytes == 0 || len(line.Digest) != 64 || line.Model != filepath.Join(models, "module", []string{"1", "2"}[i]) {
			t.Errorf("version %d: %+v", i+1, line)
		}
	}
	text := r.run("compile", filepath.Join(models, "module"), "--cache", cache)
	text.want(t, statusGood)
	if strings.Count(text.stdout, "was compiled already") != 2 || !strings.Contains(text.stdout, "3 layers") {
		t.Errorf("it prints\n%s", text.stdout)
	}
}

func TestCompileWantsFolderAndCache(t *testing.T) {
	r := newRig(t, "colours")
	r.run("compile").want(t, statusNotStarted, "no model is given")
	r.run("compile", r.model("colours"), "--cache", "").want(t, statusNotStarted, "--cache DIR")
	r.run("compile", r.model("colours"), "--threads", "100000").want(t, statusNotStarted, "--threads must be at most 1024")
	r.run("compile", filepath.Join(r.models, "gone"), "--cache", t.TempDir()).want(t, statusNotStarted, "gone does not exist (FOLDER_NOT_FOUND)")
	if o := r.compile(t.TempDir(), filepath.Join(r.models, "gone")); o.status != statusNotStarted || lines[compileLine](t, o)[0].Error.Reason != "FOLDER_NOT_FOUND" {
		t.Errorf("for a program: %+v", o)
	}
}

// apart compiles in a process of its own, which this test binary is.
func apart(t *testing.T, kind, dir string) (cache string, err error) {
	t.Helper()
	t.Setenv(asProgram, kind)
	cache = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return cache, compileApart(runtimeFlags{memoryCheck: true})(ctx, dir, cache)
}

func TestCompileApart(t *testing.T) {
	cache, err := apart(t, "real", zoo.Folder(t, "module"))
	must(t, err)
	if files, _ := filepath.Glob(filepath.Join(cache, "*", "program.json")); len(files) != 1 {
		t.Errorf("the cache holds %v", files)
	}
	// An error of the model comes back as it was there.
	_, err = apart(t, "real", t.TempDir())
	e, ok := errors.AsType[*explaind.Error](err)
	if !ok || e.Code != explaind.FailedPrecondition || e.Reason != "NOT_A_SAVED_MODEL" || !strings.Contains(e.Message, "saved_model.pb") {
		t.Errorf("got %+v", err)
	}
}

// TensorFlow aborts, and the system kills; what was said before is kept for the log, and not told to callers.
func TestCompileApartCrashes(t *testing.T) {
	for kind, says := range map[string]string{"aborting": "malformed", "killed": "was killed, most often because memory ran out; ", "silent": "malformed"} {
		_, err := apart(t, kind, "model")
		e, ok := errors.AsType[*explaind.Error](err)
		if !ok || e.Code != explaind.FailedPrecondition || e.Reason != "MODEL_CRASHED_TENSORFLOW" || !strings.Contains(e.Message, says) {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if kind != "silent" && (!strings.Contains(e.Err.Error(), "Check failed: 1 == 2") || strings.Contains(e.Message, "Check")) {
			t.Errorf("%s: the cause is %v, the message %s", kind, e.Err, e.Message)
		}
	}
}

// The end of the context ends the process, although it does not listen.
func TestCompileApartCanceled(t *testing.T) {
	t.Setenv(asProgram, "hanging")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	pidFile := filepath.Join(t.TempDir(), "pid")
	err := compileApart(runtimeFlags{})(ctx, pidFile, t.TempDir())
	if e := explaind.AsError(err); e.Code != explaind.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil { // killed before it began
		return
	}
	if _, err := os.Stat("/proc/" + string(pid)); err == nil {
		t.Error("the process lives on")
	}
}

// A server whose model ends the process that compiles it goes on, and tells.
func TestServeSurvivesCrash(t *testing.T) {
	models := t.TempDir()
	must(t, os.CopyFS(filepath.Join(models, "module", "1"), os.DirFS(zoo.Folder(t, "module"))))
	must(t, os.CopyFS(filepath.Join(models, "hostile", "1"), os.DirFS(zoo.Folder(t, "module"))))
	write(t, filepath.Join(models, "hostile", "1", "assets", "crash"), "")
	server := start(t, "fragile", "serve", "--models", models, "--grpc", "127.0.0.1:0", "--http", "")
	server.wait(`msg=ready .*models=module failed=hostile`)
	server.wait("Check failed: 1 == 2")
	server.signal(os.Interrupt)
	server.ended(statusGood)
}

func TestEnds(t *testing.T) {
	var e ends
	for range 1000 {
		if n, err := e.Write([]byte("middle ")); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	_, _ = e.Write([]byte("end"))
	if s := e.String(); !strings.HasPrefix(s, "middle") || !strings.HasSuffix(s, "end") || len(s) > 2*lastWords+10 {
		t.Errorf("%d bytes, …%s", len(s), s[max(0, len(s)-20):])
	}
}

// Loading has a low priority; none of the threads that answer afterwards does.
func TestServingThreadsKeepTheirPriority(t *testing.T) {
	models := t.TempDir()
	must(t, os.CopyFS(filepath.Join(models, "module", "1"), os.DirFS(zoo.Folder(t, "module"))))
	server := start(t, "real", "serve", "--models", models, "--grpc", "127.0.0.1:0", "--http", "")
	server.wait(`msg=ready`)
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", server.process.Process.Pid))
	must(t, err)
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	must(t, err)
	nice := strconv.Itoa(20 - own) // the system call counts from the other end
	if len(threads) < 3 {
		t.Fatalf("threads %v", threads)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it ended meanwhile
			continue
		}
		must(t, err)
		// The fields behind the name, which may hold anything; the first of them is the third of all, and the 19th is wanted.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[16] != nice {
			t.Errorf("%s has the nice value %s, want %s", thread, fields[16], nice)
		}
	}
	server.signal(os.Interrupt)
	server.ended(statusGood)
}
