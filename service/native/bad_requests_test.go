package native_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

const (
	invalid      = codes.InvalidArgument
	notFound     = codes.NotFound
	precondition = codes.FailedPrecondition
	unavailable  = codes.Unavailable

	float32s = pb.DataType_DATA_TYPE_FLOAT32
	uint8s   = pb.DataType_DATA_TYPE_UINT8
)

// where says which part of a request a row of the table breaks.
type where int

const (
	inModel  where = iota // Predict and Explain take it, and the config of a stream
	inImage               // Predict and Explain take it, and an item of a stream
	inConfig              // only Explain takes it, and the config of its stream
	inBoth                // only Explain takes it, and whether it is bad depends on the image: an item of its stream
)

// badRequest is a row: what is altered in a good request for the model "colours", and the status that must come.
type badRequest struct {
	what    string
	where   where
	alter   func(*pb.ExplainRequest)
	code    codes.Code
	reason  string
	subject string // of BadRequest: the field; of ResourceInfo: "type name"; of PreconditionFailure: the subject
}

// Every bad request gets its status from Explain, from Predict if it asks that, and from both streams: as an error of
// the item if it is about the image, else as the stream's end.
func TestBadRequests(t *testing.T) {
	free, flat, twins, spectral := colours(), colours(), fakemodel.New(4, "crane", "crane", "stork"), colours()
	free.Spec().Input.Height, free.Spec().Input.Width, free.Spec().Labels = 0, 0, nil
	free.Spec().Layers[1].Height, free.Spec().Layers[1].Width = 0, 0
	flat.Spec().Layers, flat.Spec().DefaultLayer = nil, ""
	twins.Spec().Layers = append(twins.Spec().Layers, explaind.Layer{Name: "a/twin", Gradients: true}, explaind.Layer{Name: "b/twin", Gradients: true})
	spectral.Spec().Input.Channels = 5
	models := map[string]explaind.Model{"colours": colours(), "free": free, "flat": flat, "twins": twins, "spectral": spectral, "broken": nil}
	addUnwilling(models)
	r := start(t, setup{models: models, options: tight, tcp: true})
	rows := slices.Concat(badRequests(t), badOptions(), badFiles(t), badNumbers())
	if len(rows) < 250 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			q := &pb.ExplainRequest{Model: "colours", Image: mixed(4, 4).image(t)}
			row.alter(q)
			predict := &pb.PredictRequest{Model: q.Model, Version: q.Version, VersionLabel: q.VersionLabel, Image: q.Image}
			_, err := r.Explain(t.Context(), q)
			row.check(t, "Explain", status.Convert(err))
			explains := dialogue{r, explainTalk}
			config := talkConfig{model: q.Model, version: q.Version, label: q.VersionLabel, explain: q.Config}
			if row.where == inImage || row.where == inModel {
				_, err := r.Predict(t.Context(), predict)
				row.check(t, "Predict", status.Convert(err))
			}
			switch row.where {
			case inModel:
				row.check(t, "PredictStream", dialogue{r, predictTalk}.end(t, config, q.Image))
				row.check(t, "ExplainStream", explains.end(t, config, q.Image))
			case inConfig:
				row.check(t, "ExplainStream", explains.end(t, config, q.Image))
			case inImage:
				row.check(t, "PredictStream item", dialogue{r, predictTalk}.itemError(t, config, q.Image))
				fallthrough
			case inBoth:
				row.check(t, "ExplainStream item", explains.itemError(t, config, q.Image))
			}
		})
	}
	r.stillServes(t)
}

// stillServes is what a server must do after whatever was sent to it: answer, and have nothing in its log that is its own
// fault.
func (r *rig) stillServes(t *testing.T) {
	t.Helper()
	if _, err := r.Explain(t.Context(), &pb.ExplainRequest{Model: "colours", Image: mixed(4, 4).image(t)}); err != nil {
		t.Errorf("a good request afterwards: %v", err)
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "msg=panic") {
			t.Errorf("the log has %s", line)
		}
	}
}

// What Explain has no field for.
func TestBadRequestsElsewhere(t *testing.T) {
	r := start(t, setup{models: map[string]explaind.Model{"colours": colours(), "mute": mute{colours()}, "broken": nil}})
	picture := mixed(4, 4).image(t)
	predict := func(q *pb.PredictRequest) func() error {
		return func() error {
			_, err := r.Predict(t.Context(), q)
			return err
		}
	}
	predictStream := func(c talkConfig) func() error {
		return func() error { return dialogue{r, predictTalk}.end(t, c, picture).Err() }
	}
	describe := func(q *pb.GetModelRequest) func() error {
		return func() error {
			_, err := r.GetModel(t.Context(), q)
			return err
		}
	}
	againstItself := func() error { // which class is the best is only known after the run
		best, err := r.Predict(t.Context(), &pb.PredictRequest{Model: "colours", Image: picture})
		if err != nil {
			return err
		}
		target := versus(rank(1), best.GetPredictions()[0].GetClassIndex())
		_, err = r.Explain(t.Context(), &pb.ExplainRequest{Model: "colours", Image: picture, Config: &pb.ExplainConfig{Targets: []*pb.Target{target}}})
		return err
	}
	for _, c := range []struct {
		badRequest
		call func() error
	}{
		{badRequest{what: "versus itself by rank", code: invalid, reason: "VERSUS_ITSELF", subject: "config.targets[0].versus_class_index"}, againstItself},
		{badRequest{what: "negative top_k", code: invalid, reason: "BAD_TOP_K", subject: "top_k"}, predict(&pb.PredictRequest{Model: "colours", Image: picture, TopK: -2})},
		{badRequest{what: "negative top_k of a stream", code: invalid, reason: "BAD_TOP_K", subject: "top_k"}, predictStream(talkConfig{model: "colours", topK: -2})},
		{badRequest{what: "no raw outputs", code: precondition, reason: "NO_RAW_OUTPUTS"}, predict(&pb.PredictRequest{Model: "mute", Image: picture, RawOutputs: true})},
		{badRequest{what: "no raw outputs of a stream", code: precondition, reason: "NO_RAW_OUTPUTS"}, predictStream(talkConfig{model: "mute", rawOutputs: true})},
		{badRequest{what: "GetModel of none", code: invalid, reason: "MODEL_REQUIRED", subject: "model"}, describe(nil)},
		{badRequest{what: "GetModel of unknown", code: notFound, reason: "MODEL_NOT_FOUND", subject: "model coulours"}, describe(&pb.GetModelRequest{Model: "coulours"})},
		{badRequest{what: "GetModel of failed", code: precondition, reason: "MODEL_FAILED"}, describe(&pb.GetModelRequest{Model: "broken"})},
		{badRequest{what: "GetModel of unknown version", code: notFound, reason: "VERSION_NOT_FOUND", subject: "version 3"}, describe(&pb.GetModelRequest{Model: "colours", Version: 3})},
		{badRequest{what: "GetModel of unknown label", code: notFound, reason: "VERSION_LABEL_NOT_FOUND", subject: "version_label x"}, describe(&pb.GetModelRequest{Model: "colours", VersionLabel: "x"})},
	} {
		t.Run(c.what, func(t *testing.T) { c.check(t, c.what, status.Convert(c.call())) })
	}
}

// While a model loads and when there is none, everybody is told to come back, or not to.
func TestLoadingAndNone(t *testing.T) {
	for what, c := range map[string]struct {
		s setup
		badRequest
	}{
		"loading": {setup{models: map[string]explaind.Model{"colours": colours()}, loading: true}, badRequest{code: unavailable, reason: "MODEL_LOADING"}},
		"none":    {setup{}, badRequest{code: precondition, reason: "NO_MODELS"}},
	} {
		t.Run(what, func(t *testing.T) {
			r := start(t, c.s)
			picture := mixed(4, 4).image(t)
			_, err := r.Predict(t.Context(), &pb.PredictRequest{Image: picture})
			c.check(t, "Predict", status.Convert(err))
			_, err = r.Explain(t.Context(), &pb.ExplainRequest{Image: picture})
			c.check(t, "Explain", status.Convert(err))
			_, err = r.GetModel(t.Context(), &pb.GetModelRequest{})
			c.check(t, "GetModel", status.Convert(err))
			c.check(t, "PredictStream", dialogue{r, predictTalk}.end(t, talkConfig{}, picture))
			c.check(t, "ExplainStream", dialogue{r, explainTalk}.end(t, talkConfig{}, picture))
		})
	}
}

// check compares a status with the row, details and all.
func (b badRequest) check(t *testing.T, from string, s *status.Status) {
	t.Helper()
	if s.Code() != b.code {
		t.Fatalf("%s: code is %v, want %v: %s", from, s.Code(), b.code, s.Message())
	}
	if s.Message() == "" || strings.Contains(s.Message(), ".go") || strings.Contains(s.Message(), "goroutine") {
		t.Errorf("%s: message is %q", from, s.Message())
	}
	var info *errdetails.ErrorInfo
	subject, belongs := "", false
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.BadRequest:
			belongs = b.code == invalid && len(d.GetFieldViolations()) == 1
			v := d.GetFieldViolations()[0]
			subject = v.GetField()
			if v.GetDescription() == "" || v.GetReason() != b.reason || !strings.Contains(s.Message(), v.GetField()+": ") {
				t.Errorf("%s: violation is %v of %q", from, v, s.Message())
			}
		case *errdetails.ResourceInfo:
			belongs = b.code == notFound
			subject = d.GetResourceType() + " " + d.GetResourceName()
		case *errdetails.PreconditionFailure:
			belongs = b.code == precondition && len(d.GetViolations()) == 1
			subject = d.GetViolations()[0].GetSubject()
			if v := d.GetViolations()[0]; v.GetType() != b.reason || v.GetDescription() == "" {
				t.Errorf("%s: violation is %v", from, v)
			}
		case *errdetails.RetryInfo:
			belongs = b.code == unavailable && d.GetRetryDelay().AsDuration() >= time.Second
		}
	}
	if info.GetReason() != b.reason || info.GetDomain() != "explaind" {
		t.Errorf("%s: ErrorInfo is %v, want reason %s", from, info, b.reason)
	}
	if subject != b.subject {
		t.Errorf("%s: subject is %q, want %q", from, subject, b.subject)
	}
	switch b.code {
	case invalid, notFound, precondition, unavailable:
		if !belongs || len(s.Details()) != 2 {
			t.Errorf("%s: details of %v are %v", from, b.code, s.Details())
		}
	}
}

// mute is a model that cannot return raw outputs.
type mute struct{ model *fakemodel.Model }

func (m mute) Spec() *explaind.Spec { return m.model.Spec() }

func (m mute) Predict(ctx context.Context, x *explaind.Tensor) (*explaind.Prediction, error) {
	return m.model.Predict(ctx, x)
}

func (m mute) Explain(ctx context.Context, r *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	return m.model.Explain(ctx, r)
}

func (m mute) PredictFrom(ctx context.Context, e *explaind.Evidence, a *explaind.Tensor) (*explaind.Prediction, error) {
	return m.model.PredictFrom(ctx, e, a)
}

func (m mute) Close() error { return m.model.Close() }

// bomb is a PNG that promises a large picture.
func bomb(width, height uint32) []byte {
	header := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(header[4:], width)
	binary.BigEndian.PutUint32(header[8:], height)
	header[12], header[13] = 8, 2
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, header...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
}
