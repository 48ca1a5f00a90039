package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// server is a process of "explaind serve".
type server struct {
	grpc, http string
	command    *exec.Cmd
	ended      chan struct{} // closed when the process has ended
	logFile    string
}

// patience is what a server may take to load its models, and to stop beyond its grace.
const patience = 2 * time.Minute

// start starts a server on free ports and waits until it is ready.
func (s *soak) start(ctx context.Context, args ...string) (*server, error) {
	return s.startAs(ctx, nil, nil, args...)
}

// startBy is start by another program, such as a shell that first sets a limit.
func (s *soak) startBy(ctx context.Context, program []string, args ...string) (*server, error) {
	return s.startAs(ctx, nil, program, args...)
}

// startUnprivileged is start as a user for whom rights of files mean something, since they mean nothing to root.
func (s *soak) startUnprivileged(ctx context.Context, args ...string) (*server, error) {
	if os.Geteuid() != 0 {
		return s.start(ctx, args...)
	}
	const nobody = 65534
	if err := os.Chmod(s.root, 0o777); err != nil {
		return nil, err
	}
	return s.startAs(ctx, &syscall.Credential{Uid: nobody, Gid: nobody}, nil, args...)
}

func (s *soak) startAs(ctx context.Context, user *syscall.Credential, by []string, args ...string) (*server, error) {
	log, err := os.CreateTemp(s.root, "log-")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	words := append(slices.Clone(by), s.binary, "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--cache", s.cache())
	words = append(words, args...)
	command := exec.Command(words[0], words[1:]...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: user} // not to outlive a soak that is killed
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &server{command: command, ended: make(chan struct{}), logFile: log.Name()}
	go func() {
		command.Wait()
		close(p.ended)
	}()
	if err := p.awaitReady(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// cache is the folder of compiled models.
func (s *soak) cache() string { return filepath.Join(s.root, "cache") }

var listening = regexp.MustCompile(`msg=listening grpc=(\S+) http=(\S+)`)

func (p *server) awaitReady(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if at := listening.FindStringSubmatch(p.log()); at != nil && p.http == "" {
			p.grpc, p.http = at[1], at[2]
		}
		if p.http != "" && p.probe("/readyz") == http.StatusOK {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended:\n%s", p.log())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server is not ready after %s:\n%s", patience, p.log())
}

func (p *server) log() string {
	text, _ := os.ReadFile(p.logFile)
	return string(text)
}

// probe is the status of a page, 0 if there is no answer.
func (p *server) probe(path string) int {
	client := http.Client{Timeout: time.Second}
	answer, err := client.Get("http://" + p.http + path)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode
}

// metric is the sum of a metric's samples, over all labels.
func (p *server) metric(name string) (sum float64, err error) {
	answer, err := http.Get("http://" + p.http + "/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != name && !strings.HasPrefix(words[0], name+"{") {
			continue
		}
		value, err := strconv.ParseFloat(words[len(words)-1], 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	return sum, nil
}

// connect returns a client on a connection of its own.
func (p *server) connect() (pb.ExplainServiceClient, io.Closer, error) { return connect(p.grpc) }

func connect(address string) (pb.ExplainServiceClient, io.Closer, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(256<<20)))
	if err != nil {
		return nil, nil, err
	}
	return pb.NewExplainServiceClient(connection), connection, nil
}

// alive tells whether the process has not ended.
func (p *server) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *server) signal(s os.Signal) { p.command.Process.Signal(s) }

func (p *server) kill() {
	p.signal(os.Kill)
	<-p.ended
}

// stop stops the server as an operator does. The error tells that it did not end well.
func (p *server) stop() error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
		return errors.New("the server did not stop")
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the server ended with status %d:\n%s", code, tail(p.log(), 20))
	}
	return nil
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// resident is the memory that the process holds, in bytes.
func (p *server) resident() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("/proc/PID/status has no VmRSS")
}
