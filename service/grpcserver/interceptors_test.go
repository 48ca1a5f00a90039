package grpcserver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// answers makes a stub fail in both its handlers by calling f.
func answers(f func() error) *stub {
	return &stub{
		predict: func(context.Context, *pb.PredictRequest) (*pb.PredictResponse, error) { return nil, f() },
		stream:  func(predictWire) error { return f() },
	}
}

// both are the statuses of a unary call and of a stream.
func both(t *testing.T, r *running) map[string]*status.Status {
	t.Helper()
	_, unary := r.client.Predict(t.Context(), &pb.PredictRequest{})
	stream, err := r.client.PredictStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, streaming := stream.Recv()
	return map[string]*status.Status{"Predict": status.Convert(unary), "PredictStream": status.Convert(streaming)}
}

// A panic is INTERNAL for the caller, who learns nothing of it, and a stack in the log. The server goes on.
func TestRecovery(t *testing.T) {
	r := start(t, Options{}, answers(func() error { panic("secret of the runtime") }))
	for range 2 {
		for what, s := range both(t, r) {
			if s.Code() != codes.Internal || reasonOf(s) != "PANIC" {
				t.Errorf("%s: %v", what, s)
			}
			for _, secret := range []string{"secret", "goroutine", ".go", "panic:"} {
				if strings.Contains(s.String(), secret) {
					t.Errorf("%s: the caller sees %q", what, s)
				}
			}
		}
	}
	if log := r.log.String(); strings.Count(log, "secret of the runtime") != 4 || !strings.Contains(log, "interceptors_test.go") {
		t.Errorf("the log is %s", log)
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	r := start(t, Options{}, answers(func() error { return explaind.FieldError("top_k", "BAD_TOP_K", "too many") }))
	for what, s := range both(t, r) {
		if s.Code() != codes.InvalidArgument || s.Message() != "top_k: too many" || reasonOf(s) != "BAD_TOP_K" {
			t.Errorf("%s: %v", what, s)
		}
	}
}

// Why an internal error happened stands in the log only.
func TestCausesAreLogged(t *testing.T) {
	r := start(t, Options{}, answers(func() error { return errors.New("/srv/models: disk on fire") }))
	for what, s := range both(t, r) {
		if s.Code() != codes.Internal || strings.Contains(s.String(), "fire") || !strings.Contains(s.Message(), "log") {
			t.Errorf("%s: %v", what, s)
		}
	}
	log := r.log.String()
	for _, want := range []string{`cause="/srv/models: disk on fire"`, "method=/explaind.v1.ExplainService/PredictStream", "method=/explaind.v1.ExplainService/Predict "} {
		if !strings.Contains(log, want) {
			t.Errorf("the log is without %s: %s", want, log)
		}
	}
}

// Calls are logged at the level of whom they concern; probes and payloads are not.
func TestLogging(t *testing.T) {
	for code, want := range map[explaind.Code]string{
		explaind.Internal: "ERROR", explaind.Unavailable: "WARN", explaind.ResourceExhausted: "WARN", explaind.DeadlineExceeded: "WARN",
		explaind.InvalidArgument: "INFO", explaind.NotFound: "INFO", explaind.FailedPrecondition: "INFO", explaind.Canceled: "INFO",
	} {
		r := start(t, Options{}, answers(func() error { return explaind.Errorf(code, "X", "x") }))
		if _, err := r.client.Predict(t.Context(), &pb.PredictRequest{Model: "payload"}); err == nil {
			t.Error("no error")
		}
		if _, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
		line := ""
		for l := range strings.Lines(r.log.String()) {
			if strings.Contains(l, "finished call") {
				line += l
			}
		}
		if !strings.Contains(line, "level="+want) || strings.Contains(line, "payload") || strings.Contains(line, "Health") {
			t.Errorf("code %d is logged as %s", code, line)
		}
	}
}

func reasonOf(s *status.Status) string { return infoOf(s).GetReason() }
