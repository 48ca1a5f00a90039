package admin_test

import (
	"context"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service/admin"
	"github.com/explaind/explaind/service/grpcserver"
)

// watched is a client of the service, over TCP, for a model "good" and one that cannot be loaded, whose repository is at work.
func watched(t *testing.T) pb.ModelAdminServiceClient {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after the other clean-ups
	repo := fakerepo.Unloaded(t, map[string]explaind.Model{"good": fakemodel.New(4, "red", "green"), "broken": nil})
	host := grpcserver.New(grpcserver.Options{Grace: 5 * time.Second})
	admin.Register(host.Registrar(), admin.New(repo))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() {
		repo.Watch(ctx)
		ended <- struct{}{}
	}()
	go func() {
		if err := host.Serve(ctx, listener); err != nil {
			t.Errorf("serving: %v", err)
		}
		ended <- struct{}{}
	}()
	t.Cleanup(func() {
		connection.Close()
		stop()
		<-ended
		<-ended
	})
	client := pb.NewModelAdminServiceClient(connection)
	if _, err := client.LoadModel(t.Context(), &pb.LoadModelRequest{Model: "good"}); err != nil {
		t.Fatal(err)
	}
	return client
}

// Every RPC with names and numbers that nothing bears ends in the status that says so, and changes nothing.
func TestBadAdminRequests(t *testing.T) {
	const (
		invalid      = codes.InvalidArgument
		notFound     = codes.NotFound
		precondition = codes.FailedPrecondition
	)
	client := watched(t)
	load := func(model string, version int64) func() error {
		return func() error {
			_, err := client.LoadModel(t.Context(), &pb.LoadModelRequest{Model: model, Version: version})
			return err
		}
	}
	unload := func(model string, version int64) func() error {
		return func() error {
			_, err := client.UnloadModel(t.Context(), &pb.UnloadModelRequest{Model: model, Version: version})
			return err
		}
	}
	label := func(model, label string, version int64) func() error {
		return func() error {
			_, err := client.SetVersionLabel(t.Context(), &pb.SetVersionLabelRequest{Model: model, Label: label, Version: version})
			return err
		}
	}
	for _, c := range []struct {
		what    string
		call    func() error
		code    codes.Code
		reason  string
		subject string // the field, or the type and the name of the resource
	}{
		{"load no model of two", load("", 0), invalid, "MODEL_REQUIRED", "model"},
		{"load an unknown model", load("gud", 0), notFound, "MODEL_NOT_FOUND", "model gud"},
		{"load a path", load("../good", 0), notFound, "MODEL_NOT_FOUND", "model ../good"},
		{"load an unknown version", load("good", 2), notFound, "VERSION_NOT_FOUND", "version 2"},
		{"load a negative version", load("good", -1), invalid, "BAD_VERSION", "version"},
		{"load the least version", load("good", math.MinInt64), invalid, "BAD_VERSION", "version"},
		{"load the greatest version", load("good", math.MaxInt64), notFound, "VERSION_NOT_FOUND", "version 9223372036854775807"},
		{"load what cannot be loaded", load("broken", 0), precondition, "MODEL_FAILED", ""},
		{"load what cannot be loaded, by version", load("broken", 1), precondition, "MODEL_FAILED", ""},

		{"unload no model of two", unload("", 0), invalid, "MODEL_REQUIRED", "model"},
		{"unload an unknown model", unload("gud", 1), notFound, "MODEL_NOT_FOUND", "model gud"},
		{"unload an unknown version", unload("good", 7), notFound, "VERSION_NOT_FOUND", "version 7"},
		{"unload a negative version", unload("good", -5), invalid, "BAD_VERSION", "version"},

		{"label no model of two", label("", "stable", 1), invalid, "MODEL_REQUIRED", "model"},
		{"label an unknown model", label("gud", "stable", 1), notFound, "MODEL_NOT_FOUND", "model gud"},
		{"label an unknown version", label("good", "stable", 9), notFound, "VERSION_NOT_FOUND", "version 9"},
		{"label a negative version", label("good", "stable", -9), invalid, "BAD_VERSION", "version"},
		{"label a version that failed", label("broken", "stable", 1), precondition, "VERSION_NOT_READY", ""},
		{"an empty label", label("good", "", 1), invalid, "BAD_VERSION_LABEL", "label"},
		{"a label of blanks", label("good", "  ", 1), invalid, "BAD_VERSION_LABEL", "label"},
		{"a label with a slash", label("good", "a/b", 1), invalid, "BAD_VERSION_LABEL", "label"},
		{"a label of two lines", label("good", "a\nb", 1), invalid, "BAD_VERSION_LABEL", "label"},
		{"a long label", label("good", strings.Repeat("a", 5000), 1), invalid, "BAD_VERSION_LABEL", "label"},
		{"remove a label that is not there", label("good", "canary", 0), notFound, "VERSION_LABEL_NOT_FOUND", "version_label canary"},
	} {
		s := status.Convert(c.call())
		var info *errdetails.ErrorInfo
		subject := ""
		for _, d := range s.Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				info = d
			case *errdetails.BadRequest:
				subject = d.GetFieldViolations()[0].GetField()
			case *errdetails.ResourceInfo:
				subject = d.GetResourceType() + " " + d.GetResourceName()
			}
		}
		if s.Code() != c.code || info.GetReason() != c.reason || info.GetDomain() != "explaind" || subject != c.subject || s.Message() == "" {
			t.Errorf("%s: %v %s %q, want %v %s %q: %s", c.what, s.Code(), info.GetReason(), subject, c.code, c.reason, c.subject, s.Message())
		}
	}
	if _, err := client.SetVersionLabel(t.Context(), &pb.SetVersionLabelRequest{Model: "good", Label: "stable", Version: 1}); err != nil {
		t.Errorf("a good request afterwards: %v", err)
	}
}
