package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is the process that is asked.
type server struct {
	command *exec.Cmd
	address string
	log     bytes.Buffer
	ended   chan struct{}
}

// start starts the server, which loads its model then. The process ends with ctx.
func start(ctx context.Context, binary, model string, flags []string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--model", "m=" + model, "--grpc", address, "--http", "", "--log-level", "error"}, flags...)
	s := &server{command: exec.CommandContext(ctx, binary, args...), address: address, ended: make(chan struct{})}
	s.command.Stderr = &s.log
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		s.command.Wait() // the log tells why
	}()
	return s, nil
}

// freeAddress is one that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ready asks until there is an answer.
func (s *server) ready(ask func() error) error {
	for end := time.Now().Add(startTimeout); ; {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("the server has ended: " + s.log.String())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(end) {
			return err
		}
	}
}

// startTimeout is how long a model may take to load: a large one is compiled first.
const startTimeout = 5 * time.Minute

func (s *server) stop() {
	s.command.Process.Signal(syscall.SIGTERM)
	<-s.ended
}

// ticks is the unit of processor times in /proc, which Linux has fixed.
const ticks = 100

// processor is the time that the server has computed.
func (s *server) processor() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the program's name may hold anything
	fields := strings.Fields(after)
	var sum float64
	for _, i := range []int{11, 12} { // utime and stime, the 14th and 15th of all
		if i < len(fields) {
			n, _ := strconv.ParseFloat(fields[i], 64)
			sum += n
		}
	}
	return time.Duration(sum / ticks * float64(time.Second))
}

// peak is the largest resident memory so far.
func (s *server) peak() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return "not known"
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(size)
		}
	}
	return "not known"
}
