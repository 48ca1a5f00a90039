package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// crash makes this test binary behave as a process does in which TensorFlow came to grief. The last argument is the model's
// folder.
func crash(kind string) {
	if kind != "silent" {
		fmt.Fprintln(os.Stderr, "F0000 tensor_shape.cc:424] Check failed: 1 == 2")
	}
	switch kind {
	case "aborting":
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hanging":
		_ = os.WriteFile(os.Args[len(os.Args)-1], []byte(strconv.Itoa(os.Getpid())), 0o600)
	case "silent":
		os.Exit(2)
	}
	time.Sleep(time.Hour)
}

// fragile is explaind itself, but that it cannot bear to compile some models.
func fragile() {
	if os.Args[1] == "compile" {
		if _, err := os.Stat(filepath.Join(os.Args[len(os.Args)-1], "assets", "crash")); err == nil {
			crash("aborting")
		}
	}
	main()
}
