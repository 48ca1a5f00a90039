package native_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

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
	MaxInputPixels: 1 << 10, MaxExplanations: 12, MaxMapPixels: 1 << 12, MaxEvidence: 1 << 12, MaxPasses: 1 << 10, MaxInFlight: 2,
}

func badRequests(t testing.TB) []badRequest {
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
		badConfig("no layer at all", &pb.ExplainConfig{}, precondition, "METHOD_UNSUPPORTED", "config.methods").on("flat"),
		badConfig("the default layer of none", &pb.ExplainConfig{Layers: []string{""}}, precondition, "NO_EXPLAINABLE_LAYER", "config.layers[0]").on("flat"),
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
