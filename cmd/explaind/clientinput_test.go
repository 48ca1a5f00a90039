package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// bait is a file and a web server that nobody has reason to look at.
type bait struct {
	dir, file, url string
	hits           atomic.Int64 // of the web server
	inotify        int
}

func newBait(t *testing.T) *bait {
	t.Helper()
	b := &bait{dir: t.TempDir()}
	b.file = write(t, filepath.Join(b.dir, "1", "saved_model.pb"), "graph")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.hits.Add(1) }))
	t.Cleanup(server.Close)
	b.url = server.URL
	var err error
	b.inotify, err = syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { syscall.Close(b.inotify) })
	for _, dir := range []string{b.dir, filepath.Dir(b.file)} {
		_, err = syscall.InotifyAddWatch(b.inotify, dir, syscall.IN_OPEN|syscall.IN_ACCESS|syscall.IN_CREATE)
		must(t, err)
	}
	return b
}

// touched tells whether anybody opened the file or its folders, or asked the web server, since the last time.
func (b *bait) touched() bool {
	events := make([]byte, 4096)
	n, _ := syscall.Read(b.inotify, events)
	return n > 0 || b.hits.Swap(0) > 0
}

// lures are texts that lead to the bait if they are taken for a path or an address.
func (b *bait) lures(models string) []string {
	up, err := filepath.Rel(models, b.dir)
	if err != nil {
		panic(err)
	}
	return []string{
		b.dir, b.file, up, "./" + up, "colours/../" + up, strings.Repeat("../", 30) + b.dir[1:], "~root/../" + b.dir, "file://" + b.file, "file:" + b.file,
		b.url, b.url + "/a.png", "@" + b.file, "|cat " + b.file, "$(cat " + b.file + ")", "colours=" + b.dir, "..", ".", "/", "colours/1", "", "models/colours",
		`<svg xmlns="http://www.w3.org/2000/svg"><image href="` + b.url + `"/><image href="` + b.file + `"/></svg>`,
		`<!DOCTYPE x [<!ENTITY e SYSTEM "` + b.file + `">]><x>&e;</x>`,
	}
}

// No field of a request is taken for a file or an address: each text and each run of bytes of each request of each method
// is replaced by paths and addresses, and nobody touches what they lead to.
func TestRequestsOpenNothing(t *testing.T) {
	r := newRig(t, "colours")
	b := newBait(t)
	var mu sync.Mutex
	var opened []string
	r.beforeOpen = func(_ context.Context, dir string) {
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, dir)
	}
	s := r.serve("--models", r.models, "--admin", "--poll-interval", "0")
	s.wait("msg=ready")
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	picture, err := os.ReadFile(paint(t, filepath.Join(t.TempDir(), "a.png"), red, red))
	must(t, err)

	if b.touched() {
		t.Fatal("the bait was touched before anybody asked")
	}
	asked, methods := 0, 0
	for _, name := range []protoreflect.FullName{"explaind.v1.ExplainService", "explaind.v1.ModelAdminService"} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		must(t, err)
		all := d.(protoreflect.ServiceDescriptor).Methods()
		for i := range all.Len() {
			m := all.Get(i)
			methods++
			for _, talk := range talks(m, picture) {
				for at := range talk {
					for _, set := range textFields(m.Input(), 0) {
						for _, lure := range b.lures(r.models) {
							asked++
							exchangeRaw(t, conn, m, talk, at, func(message protoreflect.Message) { set(message, lure) })
						}
					}
				}
			}
		}
	}
	if b.touched() {
		t.Error("a request reached a file or an address")
	}
	mu.Lock()
	for _, dir := range opened {
		if dir != filepath.Join(r.models, "colours", "1") {
			t.Errorf("a request opened %s", dir)
		}
	}
	if len(opened) == 0 {
		t.Error("no model was ever opened")
	}
	mu.Unlock()
	if methods < 9 || asked < 900 {
		t.Errorf("only %d requests of %d methods were tried", asked, methods)
	}
	t.Logf("%d requests of %d methods", asked, methods)
	_, err = os.ReadFile(b.file)
	must(t, err)
	if !b.touched() {
		t.Error("the bait does not notice that it is touched")
	}
}

// talks are requests that are answered well, as messages of a call each: those are what one text is replaced in.
func talks(m protoreflect.MethodDescriptor, picture []byte) [][]proto.Message {
	image := &pb.Image{Id: "a", Source: &pb.Image_Encoded{Encoded: picture}}
	config := &pb.ExplainConfig{Methods: []pb.Method{pb.Method_METHOD_GRAD_CAM}}
	switch m.Name() {
	case "Predict":
		return [][]proto.Message{{&pb.PredictRequest{Model: "colours", Image: image}}}
	case "Explain":
		return [][]proto.Message{{&pb.ExplainRequest{Model: "colours", Image: image, Config: config}}}
	case "PredictStream":
		return [][]proto.Message{{
			&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{Model: "colours"}}},
			&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: &pb.ImageItem{Sequence: 1, Image: image}}},
		}}
	case "ExplainStream":
		return [][]proto.Message{{
			&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: &pb.ExplainStreamConfig{Model: "colours", Config: config}}},
			&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: &pb.ImageItem{Sequence: 1, Image: image}}},
		}}
	default: // of models; unloading is tried with names that are none only
		return [][]proto.Message{{dynamicpb.NewMessage(m.Input())}}
	}
}

// textFields set one text or run of bytes of a message of the kind, each a different one.
func textFields(d protoreflect.MessageDescriptor, depth int) (all []func(protoreflect.Message, string)) {
	if depth > 6 {
		return nil
	}
	fields := d.Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value := func(lure string) protoreflect.Value {
			if f.Kind() == protoreflect.BytesKind {
				return protoreflect.ValueOfBytes([]byte(lure))
			}
			return protoreflect.ValueOfString(lure)
		}
		switch {
		case f.IsMap():
		case f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind:
			all = append(all, func(m protoreflect.Message, lure string) {
				if f.IsList() {
					m.Mutable(f).List().Append(value(lure))
				} else {
					m.Set(f, value(lure))
				}
			})
		case f.Kind() == protoreflect.MessageKind:
			for _, set := range textFields(f.Message(), depth+1) {
				all = append(all, func(m protoreflect.Message, lure string) {
					if f.IsList() {
						set(m.Mutable(f).List().AppendMutable().Message(), lure)
					} else {
						set(m.Mutable(f).Message(), lure)
					}
				})
			}
		}
	}
	return all
}

// exchangeRaw sends a talk, one message of it changed, and waits for the end of the call.
func exchangeRaw(t *testing.T, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, talk []proto.Message, at int, change func(protoreflect.Message)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()))
	must(t, err)
	for i, message := range talk {
		if i == at {
			message = proto.Clone(message)
			change(message.ProtoReflect())
		}
		if stream.SendMsg(message) != nil {
			break // the call has ended
		}
	}
	must(t, stream.CloseSend())
	for err == nil {
		err = stream.RecvMsg(dynamicpb.NewMessage(m.Output()))
	}
	if code := status.Code(err); code == codes.DeadlineExceeded || code == codes.Internal {
		t.Errorf("%s with %v: %v", m.Name(), talk[at], err)
	}
}

// Names of models that look like paths and addresses are names that are not there.
func TestModelNamesAreNoPaths(t *testing.T) {
	r := newRig(t, "colours")
	b := newBait(t)
	s := r.serve("--models", r.models)
	s.wait("msg=ready")
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	client := pb.NewExplainServiceClient(conn)
	for _, name := range slices.DeleteFunc(b.lures(r.models), func(s string) bool { return s == "" }) { // without a name the only model answers
		_, err := client.GetModel(t.Context(), &pb.GetModelRequest{Model: name})
		var reason string
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok {
				reason = info.GetReason()
			}
		}
		if status.Code(err) != codes.NotFound || reason != "MODEL_NOT_FOUND" {
			t.Errorf("%q: %v %s", name, err, reason)
		}
		if strings.Contains(err.Error(), r.models) && !strings.Contains(name, r.models) {
			t.Errorf("%q: the error tells where models are: %v", name, err)
		}
	}
}
