package native_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

// fuzzed is a server of one small model whose requests cost little, however much they ask.
func fuzzed(f *testing.F) *native.Server {
	repo := fakerepo.New(f, map[string]explaind.Model{"colours": colours()})
	return native.New(service.New(repo, service.Options{
		Images:         imaging.Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 14},
		MaxInputPixels: 1 << 10, MaxExplanations: 12, MaxMapPixels: 1 << 14, MaxEvidence: 1 << 12, MaxPasses: 64, MaxInFlight: 2,
	}), nil, nil)
}

// patience is what one request may take that asks for no more than fuzzed allows.
const patience = 10 * time.Second

// checkRefusal wants an error that a caller can act on: a code other than INTERNAL, a reason of this server, and the field
// if the request is at fault.
func checkRefusal(t *testing.T, s *status.Status) {
	t.Helper()
	var info *errdetails.ErrorInfo
	field := ""
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.BadRequest:
			field = d.GetFieldViolations()[0].GetField()
		}
	}
	switch {
	case s.Code() == codes.Internal, s.Code() == codes.Unknown, s.Code() == codes.DeadlineExceeded:
		t.Fatalf("the request ended in %v", s)
	case info.GetReason() == "" || info.GetDomain() != "explaind" || s.Message() == "":
		t.Fatalf("%v without a reason: %v", s, s.Details())
	case s.Code() == codes.InvalidArgument && field == "":
		t.Fatalf("%v names no field", s)
	}
}

// FuzzPredict: whatever unmarshals is answered or refused.
func FuzzPredict(f *testing.F) {
	server := fuzzed(f)
	for _, row := range badRequests(f) {
		q := goodRequest(f, row)
		seed(f, &pb.PredictRequest{Model: q.Model, Version: q.Version, VersionLabel: q.VersionLabel, Image: q.Image})
	}
	seed(f, &pb.PredictRequest{Image: mixed(9, 5).image(f), TopK: 2})
	seed(f, &pb.PredictRequest{Image: tensor(uint8s, mixed(4, 4).bytes(), 4, 4, 3), RawOutputs: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		q := new(pb.PredictRequest)
		if proto.Unmarshal(data, q) != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		answer, err := server.Predict(ctx, q)
		switch {
		case err != nil:
			checkRefusal(t, grpcserver.Status(err))
		case len(answer.GetPredictions()) == 0:
			t.Fatalf("an answer without classes: %v", answer)
		}
	})
}

// FuzzExplain: whatever unmarshals is answered or refused.
func FuzzExplain(f *testing.F) {
	server := fuzzed(f)
	for _, row := range append(badRequests(f), badOptions()...) {
		seed(f, goodRequest(f, row))
	}
	for number := range pb.Method_name {
		seed(f, &pb.ExplainRequest{Image: mixed(6, 6).image(f), Config: &pb.ExplainConfig{
			Methods: []pb.Method{pb.Method(number)}, Targets: []*pb.Target{rank(1), versus(class(0), 1)},
			Options: &pb.MethodOptions{Rise: &pb.RiseOptions{Masks: 20}, Noise: &pb.NoiseOptions{Samples: 3}, IntegratedGradients: &pb.IntegratedGradientsOptions{Steps: 5}},
		}})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q := new(pb.ExplainRequest)
		if proto.Unmarshal(data, q) != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		answer, err := server.Explain(ctx, q)
		if err != nil {
			checkRefusal(t, grpcserver.Status(err))
			return
		}
		if len(answer.GetExplanations()) == 0 {
			t.Fatalf("an answer without explanations: %v", answer)
		}
		for _, x := range answer.GetExplanations() {
			if n := len(x.GetHeatmap().GetValues()); n != 0 && n != 4*int(x.GetHeatmap().GetHeight())*int(x.GetHeatmap().GetWidth()) {
				t.Fatalf("%d bytes of %d×%d values", n, x.GetHeatmap().GetHeight(), x.GetHeatmap().GetWidth())
			}
		}
	})
}

// goodRequest is the request of a row of the table of bad ones.
func goodRequest(f *testing.F, row badRequest) *pb.ExplainRequest {
	q := &pb.ExplainRequest{Model: "colours", Image: mixed(4, 4).image(f)}
	row.alter(q)
	return q
}

func seed(f *testing.F, m proto.Message) {
	if data, err := proto.Marshal(m); err == nil { // rows with bad UTF-8 cannot be sent
		f.Add(data)
	}
}
