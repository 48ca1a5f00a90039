package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"google.golang.org/grpc"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
)

// terminal is a pseudo-terminal of Linux: what is written to it, as a person would see it arrive.
type terminal struct {
	*os.File
	shown *lockedbuffer.Buffer
	ended chan struct{}
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	var locked, number int32
	size := [4]uint16{24, 120} // rows and columns
	control := func(request uintptr, value unsafe.Pointer) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(value)); errno != 0 {
			t.Fatal(errno)
		}
	}
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	term := &terminal{slave, &lockedbuffer.Buffer{}, make(chan struct{})}
	go func() {
		defer close(term.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			term.shown.Write(buffer[:n])
			if err != nil { // nobody holds the other side any more
				master.Close()
				return
			}
		}
	}()
	return term
}

// runOnTerminal is run with standard error on a terminal.
func (r *rig) runOnTerminal(args ...string) outcome {
	r.t.Helper()
	term := openTerminal(r.t)
	var stdout lockedbuffer.Buffer
	a := &app{open: r.open, stdout: &stdout, stderr: term.File}
	status := a.run(context.Background(), args)
	term.Close()
	<-term.ended
	return outcome{status, stdout.String(), term.shown.String()}
}

type explainStream = grpc.BidiStreamingServer[pb.ExplainStreamRequest, pb.ExplainStreamResponse]

// slowServer tells the progress of two images before it answers them, and some that nobody should see.
type slowServer struct {
	pb.UnimplementedExplainServiceServer
	asked bool // whether progress was asked for
}

func (*slowServer) GetModel(context.Context, *pb.GetModelRequest) (*pb.GetModelResponse, error) {
	return &pb.GetModelResponse{Model: &pb.ModelRef{Name: "slow", Version: 1}}, nil
}

func (s *slowServer) ExplainStream(stream explainStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	s.asked = first.GetConfig().GetProgress()
	stream.Send(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Started{Started: &pb.Started{}}})
	send := func(p *pb.Progress) {
		stream.Send(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Progress{Progress: p}})
	}
	working := func(sequence int64, method pb.Method, done int64) {
		send(&pb.Progress{Sequence: sequence, Method: method, Done: done, Total: 4000})
	}
	answer := func(sequence int64) {
		stream.Send(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Result{Result: &pb.ItemResult{
			Sequence: sequence, Response: &pb.ExplainResponse{Predictions: []*pb.ClassScore{{Label: "odd"}}}}}})
	}
	working(0, pb.Method_METHOD_RISE, 120)
	working(1, pb.Method_METHOD_OCCLUSION, 5555)
	send(&pb.Progress{Sequence: 0, Method: pb.Method_METHOD_RISE, Done: 24, Total: 50, Measuring: true})
	working(-1, pb.Method_METHOD_RISE, 1111)
	working(99, pb.Method_METHOD_RISE, 2222)
	answer(0)
	working(0, pb.Method_METHOD_RISE, 3333)
	working(1, pb.Method_METHOD_OCCLUSION, 7)
	answer(1)
	working(1, pb.Method_METHOD_OCCLUSION, 4444)
	return nil
}

// On a terminal, the passes of the image at work stand beside the count of images, until it is answered; nowhere else is
// anything shown, or asked for.
func TestProgressOfLongMethods(t *testing.T) {
	server := &slowServer{}
	address := serveOdd(t, server)
	r := newRig(t)
	dir := t.TempDir()
	for _, name := range []string{"first.png", "a name that is much too long to stand beside a bar.png"} {
		write(t, filepath.Join(dir, name), "nobody looks at it")
	}
	args := []string{"explain", filepath.Join(dir, "first.png"), filepath.Join(dir, "a name*.png"), "--server", address, "--out", "", "--method", "rise"}
	o := r.runOnTerminal(args...)
	if o.status != statusGood || !server.asked {
		t.Fatalf("status %d, progress asked for: %v\n%s", o.status, server.asked, o.stderr)
	}
	for _, text := range []string{"first.png rise 120/4000", "first.png measuring rise 24/50", "(0/2", "a name that is much too… occlusion 7/4000", "(1/2"} {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("the terminal lacks %q:\n%q", text, o.stderr)
		}
	}
	for _, text := range []string{"1111", "2222", "3333", "4444", "5555"} {
		if strings.Contains(o.stderr, text) {
			t.Errorf("the terminal shows %q, of an image that is answered, was never sent or is not the first at work:\n%q", text, o.stderr)
		}
	}
	if rate, done := strings.Index(o.stderr, " images/"), strings.Index(o.stderr, "(1/2"); rate < done {
		t.Errorf("a rate before any image is done:\n%q", o.stderr)
	}
	if strings.Contains(o.stdout, "rise 120") {
		t.Errorf("progress on standard output:\n%s", o.stdout)
	}
	last := o.stderr[strings.LastIndex(o.stderr, "images"):]
	if !strings.HasSuffix(last, strings.Repeat(" ", 100)+"\r") { // as wide as the bar was
		t.Errorf("the bar is still there:\n%q", o.stderr)
	}

	if o := r.run(args...).want(t, statusGood); o.stderr != "" || server.asked {
		t.Errorf("without a terminal, progress asked for: %v\n%q", server.asked, o.stderr)
	}
}

// The whole way with a real method: the bar of one image appears when the method takes its time.
func TestProgressOnATerminal(t *testing.T) {
	r := newRig(t, "colours")
	r.beforeRun = func(context.Context) error {
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	picture := halfRed(t, t.TempDir())
	args := []string{"explain", picture, "--model", r.model("colours"), "--out", "", "--method", "rise", "--rise-masks"}
	if o := r.runOnTerminal(append(args, "400")...); o.status != statusGood || !strings.Contains(o.stderr, "half.png rise ") || !strings.Contains(o.stderr, "/400") {
		t.Errorf("status %d, the terminal shows %q", o.status, o.stderr)
	}
	if o := r.runOnTerminal(append(args, "8")...); o.status != statusGood || strings.Contains(o.stderr, "rise") {
		t.Errorf("status %d, a fast method shows %q", o.status, o.stderr)
	}
}
