package native_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
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

func badImage(what string, i *pb.Image, reason, field string) badRequest {
	return badRequest{what, inImage, func(r *pb.ExplainRequest) { r.Image = i }, invalid, reason, field}
}

func badModel(what, model string, version int64, label string, code codes.Code, reason, subject string) badRequest {
	return badRequest{what, inModel, func(r *pb.ExplainRequest) { r.Model, r.Version, r.VersionLabel = model, version, label }, code, reason, subject}
}

func badConfig(what string, c *pb.ExplainConfig, code codes.Code, reason, subject string) badRequest {
	return badRequest{what, inConfig, func(r *pb.ExplainRequest) { r.Config = c }, code, reason, subject}
}

func badTarget(what string, target *pb.Target, code codes.Code, reason, subject string) badRequest {
	return badConfig(what, &pb.ExplainConfig{Targets: []*pb.Target{rank(1), target}}, code, reason, subject)
}

func badRendering(what string, r *pb.Rendering, reason, field string) badRequest {
	return badConfig(what, &pb.ExplainConfig{Rendering: r}, invalid, reason, "config.rendering."+field)
}

// on names the model, for rows about another one than "colours".
func (b badRequest) on(model string) badRequest {
	alter := b.alter
	b.alter = func(r *pb.ExplainRequest) {
		alter(r)
		r.Model = model
	}
	return b
}

// The limits that the table runs into.
var tight = service.Options{
	MaxInputPixels: 1 << 10, MaxExplanations: 12, MaxMapPixels: 1 << 12, MaxEvidence: 1 << 12, MaxInFlight: 2,
}

func badRequests(t *testing.T) []badRequest {
	picture := mixed(4, 4).png(t)
	pixels := mixed(4, 4).bytes()
	values := func(first float32) []byte { return littleEndian(append([]float32{first}, make([]float32, 47)...)...) }
	many := func(n int) (list []*pb.Target) {
		for range n {
			list = append(list, class(0))
		}
		return list
	}
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewRGBA(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	const shape, data, dtype = "image.tensor.shape", "image.tensor.data", "image.tensor.dtype"
	return []badRequest{
		badImage("no image", nil, "IMAGE_REQUIRED", "image"),
		badImage("image without source", &pb.Image{Id: "empty"}, "IMAGE_REQUIRED", "image"),
		badImage("no bytes", tensorless(nil), "IMAGE_REQUIRED", "image"),
		badImage("one byte", tensorless([]byte{0}), "UNSUPPORTED_FORMAT", "image.encoded"),
		badImage("text", tensorless([]byte("<html>not found</html>")), "UNSUPPORTED_FORMAT", "image.encoded"),
		badImage("svg", tensorless([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), "UNSUPPORTED_FORMAT", "image.encoded"),
		badImage("half a PNG", tensorless(picture[:len(picture)/2]), "IMAGE_DECODE_FAILED", "image.encoded"),
		badImage("head of a PNG", tensorless(picture[:8]), "IMAGE_DECODE_FAILED", "image.encoded"),
		badImage("half a JPEG", tensorless(jpg.Bytes()[:jpg.Len()/2]), "IMAGE_DECODE_FAILED", "image.encoded"),
		badImage("PNG bomb", tensorless(bomb(50_000, 50_000)), "IMAGE_TOO_LARGE", "image.encoded"),

		badImage("empty tensor", tensor(0, nil), "BAD_DTYPE", dtype),
		badImage("tensor without type", tensor(0, pixels, 4, 4, 3), "BAD_DTYPE", dtype),
		badImage("tensor of unknown type", tensor(99, pixels, 4, 4, 3), "BAD_DTYPE", dtype),
		badImage("scalar", tensor(uint8s, pixels), "BAD_SHAPE", shape),
		badImage("grey matrix", tensor(uint8s, pixels, 4, 12), "BAD_SHAPE", shape),
		badImage("five dimensions", tensor(uint8s, pixels, 1, 1, 4, 4, 3), "BAD_SHAPE", shape),
		badImage("batch of two", tensor(uint8s, pixels, 2, 2, 4, 3), "BAD_SHAPE", shape),
		badImage("batch of none", tensor(float32s, nil, 0, 4, 4, 3), "BAD_SHAPE", shape),
		badImage("no rows", tensor(uint8s, nil, 0, 4, 3), "BAD_SHAPE", shape),
		badImage("no channels", tensor(float32s, nil, 4, 4, 0), "BAD_SHAPE", shape),
		badImage("negative width", tensor(uint8s, pixels, 4, -4, 3), "BAD_SHAPE", shape),
		badImage("two negative sides", tensor(uint8s, pixels, -4, -4, 3), "BAD_SHAPE", shape),
		badImage("least height", tensor(float32s, pixels, math.MinInt64, 4, 3), "BAD_SHAPE", shape),
		badImage("too many pixels", tensor(uint8s, pixels, 10_000, 10_000, 3), "IMAGE_TOO_LARGE", shape),
		badImage("sides that overflow 64 bits", tensor(uint8s, pixels, 1<<33, 1<<33, 3), "IMAGE_TOO_LARGE", shape),
		badImage("greatest height", tensor(float32s, pixels, math.MaxInt64, 1, 3), "IMAGE_TOO_LARGE", shape),
		badImage("greatest channels", tensor(float32s, pixels, 4, 4, math.MaxInt64), "IMAGE_TOO_LARGE", shape),
		badImage("grey UINT8", tensor(uint8s, pixels[:16], 4, 4, 1), "SHAPE_MISMATCH", shape),
		badImage("RGBA", tensor(uint8s, append(pixels, pixels[:16]...), 4, 4, 4), "SHAPE_MISMATCH", shape),
		badImage("a byte short", tensor(uint8s, pixels[:47], 4, 4, 3), "BAD_LENGTH", data),
		badImage("a byte long", tensor(uint8s, append(bytes.Clone(pixels), 0), 4, 4, 3), "BAD_LENGTH", data),
		badImage("no data", tensor(uint8s, nil, 4, 4, 3), "BAD_LENGTH", data),
		badImage("FLOAT32 of another height", tensor(float32s, values(0), 5, 4, 3), "SHAPE_MISMATCH", shape),
		badImage("FLOAT32 of another width", tensor(float32s, values(0), 4, 3, 3), "SHAPE_MISMATCH", shape),
		badImage("FLOAT32 of other channels", tensor(float32s, values(0), 4, 4, 1), "SHAPE_MISMATCH", shape),
		badImage("FLOAT32 channels first", tensor(float32s, values(0), 3, 4, 4), "SHAPE_MISMATCH", shape),
		badImage("FLOAT32 a byte short", tensor(float32s, values(0)[:191], 4, 4, 3), "BAD_LENGTH", data),
		badImage("FLOAT32 as UINT8", tensor(float32s, pixels, 4, 4, 3), "BAD_LENGTH", data),
		badImage("NaN", tensor(float32s, values(float32(math.NaN())), 4, 4, 3), "NON_FINITE", data),
		badImage("+Inf", tensor(float32s, values(float32(math.Inf(1))), 4, 4, 3), "NON_FINITE", data),
		badImage("-Inf", tensor(float32s, values(float32(math.Inf(-1))), 4, 4, 3), "NON_FINITE", data),
		badImage("too large for a model of free size", mixed(40, 40).image(t), "INPUT_TOO_LARGE", "image.encoded").on("free"),
		badImage("UINT8 too large for a model of free size", tensor(uint8s, make([]byte, 40*40*3), 40, 40, 3), "INPUT_TOO_LARGE", "image.tensor").on("free"),
		badImage("FLOAT32 too large for a model of free size", tensor(float32s, nil, 40, 40, 3), "INPUT_TOO_LARGE", shape).on("free"),
		badImage("picture for a model of five channels", mixed(4, 4).image(t), "SHAPE_MISMATCH", "image.encoded").on("spectral"),

		badModel("no model of several", "", 0, "", invalid, "MODEL_REQUIRED", "model"),
		badModel("unknown model", "colors", 0, "", notFound, "MODEL_NOT_FOUND", "model colors"),
		badModel("a path", "../colours", 0, "", notFound, "MODEL_NOT_FOUND", "model ../colours"),
		badModel("a long name", strings.Repeat("é", 5000), 0, "", notFound, "MODEL_NOT_FOUND", "model "+strings.Repeat("é", 128)+"…"),
		badModel("negative version", "colours", -1, "", invalid, "BAD_VERSION", "version"),
		badModel("unknown version", "colours", 7, "", notFound, "VERSION_NOT_FOUND", "version 7"),
		badModel("greatest version", "colours", math.MaxInt64, "", notFound, "VERSION_NOT_FOUND", "version 9223372036854775807"),
		badModel("version and label", "colours", 1, "stable", invalid, "VERSION_AND_LABEL", "version_label"),
		badModel("unknown label", "colours", 0, "stable", notFound, "VERSION_LABEL_NOT_FOUND", "version_label stable"),
		badModel("failed model", "broken", 0, "", precondition, "MODEL_FAILED", ""),

		badConfig("unknown method", &pb.ExplainConfig{Methods: []pb.Method{cam, 99}}, invalid, "UNKNOWN_METHOD", "config.methods[1]"),
		badConfig("negative method", &pb.ExplainConfig{Methods: []pb.Method{-1}}, invalid, "UNKNOWN_METHOD", "config.methods[0]"),
		badConfig("method without kernel", &pb.ExplainConfig{Methods: []pb.Method{pb.Method_METHOD_ARTICLE_CAM}}, precondition, "METHOD_UNSUPPORTED", "config.layers"),
		badConfig("gradient where there is none", &pb.ExplainConfig{Layers: []string{"features", "frozen"}}, precondition, "METHOD_UNSUPPORTED", "config.layers[1]"),
		badConfig("CAM before the last layer", &pb.ExplainConfig{Methods: []pb.Method{cam}, Layers: []string{"frozen"}}, precondition, "METHOD_UNSUPPORTED", "config.layers[0]"),
		badConfig("unknown layer", &pb.ExplainConfig{Layers: []string{"featrues"}}, notFound, "LAYER_NOT_FOUND", "layer featrues"),
		badConfig("ambiguous layer", &pb.ExplainConfig{Layers: []string{"twin"}}, invalid, "AMBIGUOUS_LAYER", "config.layers[0]").on("twins"),
		badConfig("no layer at all", &pb.ExplainConfig{}, precondition, "NO_EXPLAINABLE_LAYER", "config.layers").on("flat"),
		badTarget("class too large", class(3), invalid, "CLASS_OUT_OF_RANGE", "config.targets[1].class_index"),
		badTarget("negative class", class(-1), invalid, "CLASS_OUT_OF_RANGE", "config.targets[1].class_index"),
		badTarget("unknown label", label("gren"), notFound, "LABEL_NOT_FOUND", "label gren"),
		badTarget("empty label", label(""), notFound, "LABEL_NOT_FOUND", "label "),
		badTarget("ambiguous label", label("Crane"), invalid, "AMBIGUOUS_LABEL", "config.targets[1].label").on("twins"),
		badTarget("label of a model without", label("red"), precondition, "NO_LABELS", "config.targets[1].label").on("free"),
		badTarget("rank 0", rank(0), invalid, "RANK_OUT_OF_RANGE", "config.targets[1].rank"),
		badTarget("negative rank", rank(-1), invalid, "RANK_OUT_OF_RANGE", "config.targets[1].rank"),
		badTarget("rank too large", rank(4), invalid, "RANK_OUT_OF_RANGE", "config.targets[1].rank"),
		badTarget("versus too large", versus(class(0), 3), invalid, "CLASS_OUT_OF_RANGE", "config.targets[1].versus_class_index"),
		badTarget("negative versus", versus(rank(1), -1), invalid, "CLASS_OUT_OF_RANGE", "config.targets[1].versus_class_index"),
		badTarget("versus itself", versus(class(2), 2), invalid, "VERSUS_ITSELF", "config.targets[1].versus_class_index"),
		badTarget("versus itself by label", versus(label("BLUE"), 2), invalid, "VERSUS_ITSELF", "config.targets[1].versus_class_index"),
		badConfig("unknown score", &pb.ExplainConfig{Score: 9}, invalid, "UNKNOWN_SCORE", "config.score"),
		badConfig("negative top_k", &pb.ExplainConfig{TopK: -1}, invalid, "BAD_TOP_K", "config.top_k"),
		badRendering("unknown resolution", &pb.Rendering{Resolution: 9}, "UNKNOWN_RESOLUTION", "resolution"),
		badRendering("unknown interpolation", &pb.Rendering{Interpolation: -3}, "UNKNOWN_INTERPOLATION", "interpolation"),
		badRendering("unknown colour map", &pb.Rendering{Colormap: 5}, "UNKNOWN_COLORMAP", "colormap"),
		badRendering("alpha above 1", &pb.Rendering{Alpha: proto.Float32(1.5)}, "BAD_ALPHA", "alpha"),
		badRendering("negative alpha", &pb.Rendering{Alpha: proto.Float32(-0.1)}, "BAD_ALPHA", "alpha"),
		badRendering("alpha that is no number", &pb.Rendering{Alpha: proto.Float32(float32(math.NaN()))}, "BAD_ALPHA", "alpha"),
		badConfig("too many targets", &pb.ExplainConfig{Targets: many(13)}, invalid, "TOO_MANY_EXPLANATIONS", "config"),
		badConfig("too many by product", &pb.ExplainConfig{Methods: []pb.Method{cam, gradCAM}, Layers: []string{"", ""}, Targets: many(4)}, invalid, "TOO_MANY_EXPLANATIONS", "config"),
		// 12 maps of 20×20 are 4800 pixels, 4096 are allowed.
		{"too many map pixels", inBoth, func(r *pb.ExplainRequest) {
			r.Image, r.Config = mixed(20, 20).image(t), &pb.ExplainConfig{Targets: many(12), Rendering: &pb.Rendering{Resolution: originalSize}}
		}, invalid, "TOO_MANY_EXPLANATIONS", "config"},
		// Layers of free size count as large as the input: 16×16×3×(1 + 12) numbers are 9984, 4096 are allowed.
		{"too much evidence", inBoth, func(r *pb.ExplainRequest) {
			r.Model, r.Image, r.Config = "free", mixed(16, 16).image(t), &pb.ExplainConfig{Targets: many(12), Rendering: &pb.Rendering{Resolution: layerSize}}
		}, invalid, "TOO_MANY_EXPLANATIONS", "config"},
	}
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
	r := start(t, setup{models: models, options: tight})
	rows := badRequests(t)
	if len(rows) < 60 {
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
