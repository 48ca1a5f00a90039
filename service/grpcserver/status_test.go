package grpcserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/explaind/explaind"
)

func infoOf(s *status.Status) *errdetails.ErrorInfo {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

func TestStatus(t *testing.T) {
	e := func(code explaind.Code) *explaind.Error {
		return &explaind.Error{Code: code, Reason: "WHY", Message: "so", Field: "a.b[1]", ResourceType: "layer", ResourceName: "x", Metadata: map[string]string{"k": "v"}}
	}
	info := &errdetails.ErrorInfo{Reason: "WHY", Domain: "explaind", Metadata: map[string]string{"k": "v"}}
	retry := func(d time.Duration) proto.Message { return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)} }
	late := e(explaind.Unavailable)
	late.RetryAfter = time.Minute
	plain := &errdetails.ErrorInfo{Reason: "INTERNAL", Domain: "explaind"}
	reason := func(r string) proto.Message { return &errdetails.ErrorInfo{Reason: r, Domain: "explaind"} }
	quota := e(explaind.ResourceExhausted)
	quota.RetryAfter = 70 * time.Millisecond
	const hidden = "an internal error happened; the server's log has the cause"
	for _, c := range []struct {
		what    string
		err     error
		code    codes.Code
		text    string
		details []proto.Message
	}{
		{"invalid", e(explaind.InvalidArgument), codes.InvalidArgument, "a.b[1]: so", []proto.Message{info, &errdetails.BadRequest{
			FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "a.b[1]", Description: "so", Reason: "WHY"}}}}},
		{"not found", e(explaind.NotFound), codes.NotFound, "a.b[1]: so", []proto.Message{info, &errdetails.ResourceInfo{ResourceType: "layer", ResourceName: "x", Description: "so"}}},
		{"precondition", e(explaind.FailedPrecondition), codes.FailedPrecondition, "a.b[1]: so", []proto.Message{info, &errdetails.PreconditionFailure{
			Violations: []*errdetails.PreconditionFailure_Violation{{Type: "WHY", Subject: "a.b[1]", Description: "so"}}}}},
		{"unavailable", e(explaind.Unavailable), codes.Unavailable, "a.b[1]: so", []proto.Message{info, retry(time.Second)}},
		{"unavailable for long", late, codes.Unavailable, "a.b[1]: so", []proto.Message{info, retry(time.Minute)}},
		{"exhausted", e(explaind.ResourceExhausted), codes.ResourceExhausted, "a.b[1]: so", []proto.Message{info}},
		{"quota", quota, codes.ResourceExhausted, "a.b[1]: so", []proto.Message{info, &errdetails.QuotaFailure{
			Violations: []*errdetails.QuotaFailure_Violation{{Subject: "layer:x", Description: "so"}}}, retry(70 * time.Millisecond)}},
		{"deadline", e(explaind.DeadlineExceeded), codes.DeadlineExceeded, "a.b[1]: so", []proto.Message{info}},
		{"cancelled", e(explaind.Canceled), codes.Canceled, "a.b[1]: so", []proto.Message{info}},
		{"internal", e(explaind.Internal), codes.Internal, "a.b[1]: so", []proto.Message{info}},
		{"a code of the future", e(99), codes.Internal, "a.b[1]: so", []proto.Message{info}},
		{"wrapped", fmt.Errorf("layer: %w", e(explaind.Canceled)), codes.Canceled, "a.b[1]: so", []proto.Message{info}},
		{"any error", errors.New("secret"), codes.Internal, hidden, []proto.Message{plain}},
		{"gRPC's own", status.Error(codes.Aborted, "theirs"), codes.Aborted, "theirs", nil},
		{"context cancelled", fmt.Errorf("run: %w", context.Canceled), codes.Canceled, "the caller went away before the work was done", []proto.Message{reason("CANCELED")}},
		{"context expired", context.DeadlineExceeded, codes.DeadlineExceeded, "the deadline passed before the work was done; allow more time", []proto.Message{reason("DEADLINE_EXCEEDED")}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := Status(c.err)
			if s.Code() != c.code || s.Message() != c.text {
				t.Errorf("%v %q, want %v %q", s.Code(), s.Message(), c.code, c.text)
			}
			if len(s.Details()) != len(c.details) {
				t.Fatalf("details are %v", s.Details())
			}
			for i, d := range s.Details() {
				if got := protoadapt.MessageV2Of(d.(protoadapt.MessageV1)); !proto.Equal(got, c.details[i]) {
					t.Errorf("detail %d is %v, want %v", i, got, c.details[i])
				}
			}
		})
	}
	if Status(nil).Err() != nil {
		t.Error("no error is an error")
	}
}

// Clients bound trailers, C++ and Python to 8 KiB: whatever names a caller sends back to itself, its status arrives.
func TestStatusIsBounded(t *testing.T) {
	for what, name := range map[string]string{
		"latin": strings.Repeat("x", 1<<20), "kanji": strings.Repeat("漢", 1<<18), "emoji": strings.Repeat("🪁", 1<<18), "no UTF-8": strings.Repeat("\xff", 1<<20),
	} {
		for _, err := range []*explaind.Error{
			explaind.NotFoundError("layer", name, []string{name + "1", name + "2", name + "3"}),
			explaind.FieldError("config.targets[1].label", "AMBIGUOUS_LABEL", "label %s", name),
			{Code: explaind.FailedPrecondition, Reason: "METHOD_UNSUPPORTED", Message: name, Field: "config.layers[0]", Metadata: map[string]string{"method": name, "layer": name, "supported": name}},
		} {
			s := Status(err)
			wire, failure := proto.Marshal(s.Proto())
			if failure != nil {
				t.Fatalf("%s: %v", what, failure)
			}
			if len(s.Details()) != 2 || !utf8.ValidString(s.Message()) {
				t.Errorf("%s: %d details", what, len(s.Details()))
			}
			trailers := len("grpc-message") + len(url.PathEscape(s.Message())) + len("grpc-status-details-bin") + base64.RawStdEncoding.EncodedLen(len(wire)) + 200
			if trailers > 8<<10 {
				t.Errorf("%s, %s: the trailers have %d bytes", what, err.Reason, trailers)
			}
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"aé", 3, "aé"}, {"aéb", 2, "a…"}, {"漢字", 3, "漢…"}, {"漢字", 2, "…"}, {"a\xffb", 9, "a\uFFFDb"},
	} {
		if got := clip(c.s, c.n); got != c.want {
			t.Errorf("clip(%q, %d) is %q, want %q", c.s, c.n, got, c.want)
		}
	}
}
