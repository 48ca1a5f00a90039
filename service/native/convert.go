package native

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// What is missing from a request is left at its zero, which package service takes as the default or refuses by name:
// only enums, which it does not know, are refused here.

func selector(r interface {
	GetModel() string
	GetVersion() int64
	GetVersionLabel() string
}) service.Selector {
	return service.Selector{Model: r.GetModel(), Version: r.GetVersion(), Label: r.GetVersionLabel()}
}

// imageOf shares the bytes of the message.
func imageOf(i *pb.Image) service.Image {
	out := service.Image{ID: i.GetId(), Encoded: i.GetEncoded()}
	if t := i.GetTensor(); t != nil {
		out.Tensor = &service.Tensor{Shape: t.GetShape(), DType: dtypes[t.GetDtype()], Data: t.GetData()}
	}
	return out
}

func predictRequest(r *pb.PredictRequest) *service.PredictRequest {
	return &service.PredictRequest{Selector: selector(r), Image: imageOf(r.GetImage()), Config: predictConfig(r)}
}

func predictConfig(r interface {
	GetTopK() int32
	GetRawOutputs() bool
}) service.PredictConfig {
	return service.PredictConfig{TopK: int(r.GetTopK()), RawOutputs: r.GetRawOutputs()}
}

func explainRequest(r *pb.ExplainRequest) (*service.ExplainRequest, error) {
	config, err := explainConfig(r.GetConfig())
	if err != nil {
		return nil, err
	}
	return &service.ExplainRequest{Selector: selector(r), Image: imageOf(r.GetImage()), Config: config}, nil
}

func explainConfig(c *pb.ExplainConfig) (service.ExplainConfig, error) {
	out := service.ExplainConfig{Layers: c.GetLayers(), TopK: int(c.GetTopK()), Faithfulness: c.GetFaithfulness()}
	for i, m := range c.GetMethods() {
		method, err := meaning(fmt.Sprintf("config.methods[%d]", i), m, methods)
		if err != nil {
			return out, err
		}
		out.Methods = append(out.Methods, method)
	}
	for _, t := range c.GetTargets() {
		out.Targets = append(out.Targets, target(t))
	}
	var err error
	if out.Score, err = meaning("config.score", c.GetScore(), scores); err != nil {
		return out, err
	}
	if out.Options, err = options(c.GetOptions()); err != nil {
		return out, err
	}
	out.Rendering, err = rendering(c.GetRendering())
	return out, err
}

func target(t *pb.Target) service.Target {
	var out service.Target
	switch kind := t.GetKind().(type) {
	case *pb.Target_ClassIndex:
		out.Class = integer(kind.ClassIndex)
	case *pb.Target_Label:
		out.Label = &kind.Label
	case *pb.Target_Rank:
		out.Rank = integer(kind.Rank)
	}
	if t != nil && t.VersusClassIndex != nil {
		out.Versus = integer(*t.VersusClassIndex)
	}
	return out
}

func integer(n int32) *int {
	out := int(n)
	return &out
}

func rendering(r *pb.Rendering) (service.Rendering, error) {
	out := service.Rendering{Values: r.GetValues(), HeatmapPNG: r.GetHeatmapPng(), OverlayPNG: r.GetOverlayPng(), ComparisonPNG: r.GetComparisonPng()}
	if r != nil {
		out.Alpha = r.Alpha
	}
	var err error
	if out.Resolution, err = meaning("config.rendering.resolution", r.GetResolution(), resolutions); err != nil {
		return out, err
	}
	if out.Interpolation, err = meaning("config.rendering.interpolation", r.GetInterpolation(), interpolations); err != nil {
		return out, err
	}
	out.Colormap, err = meaning("config.rendering.colormap", r.GetColormap(), colormaps)
	return out, err
}

func predictResponse(a *service.PredictAnswer) *pb.PredictResponse {
	out := &pb.PredictResponse{
		ImageId: a.ImageID, Model: modelRef(a.Model), Predictions: classScores(a.Predictions), Timing: timing(a.Timing),
	}
	for _, o := range a.Outputs {
		tensor := &pb.Tensor{Shape: int64s(o.Tensor.Shape), Dtype: pb.DataType_DATA_TYPE_FLOAT32, Data: littleEndian(o.Tensor.Data)}
		out.Outputs = append(out.Outputs, &pb.NamedTensor{Name: text(o.Name), Tensor: tensor})
	}
	return out
}

func explainResponse(a *service.ExplainAnswer) *pb.ExplainResponse {
	out := &pb.ExplainResponse{
		ImageId: a.ImageID, Model: modelRef(a.Model), Predictions: classScores(a.Predictions), ComparisonPng: a.ComparisonPNG, Timing: timing(a.Timing),
	}
	for i := range a.Explanations {
		out.Explanations = append(out.Explanations, explanation(&a.Explanations[i]))
	}
	return out
}

func explanation(x *service.Explanation) *pb.Explanation {
	out := &pb.Explanation{
		Method: methodNames[x.Method], Layer: text(x.Layer), Target: classScore(x.Target),
		Heatmap: &pb.Heatmap{
			Height: int32(x.Heatmap.Height), Width: int32(x.Heatmap.Width), RawMin: x.RawMin, RawMax: x.RawMax,
		},
		HeatmapPng: x.HeatmapPNG, OverlayPng: x.OverlayPNG,
	}
	if x.WithValues {
		out.Heatmap.Values = littleEndian(x.Heatmap.Values)
	}
	for _, f := range x.Flags {
		out.Flags = append(out.Flags, flags[f])
	}
	if r := x.Faithfulness; r != nil {
		out.Faithfulness = &pb.Faithfulness{
			AverageDrop: r.AverageDrop, Increase: r.Increase, AverageGain: r.AverageGain,
			DeletionAuc: r.Deletion, InsertionAuc: r.Insertion, Road: r.ROAD, MaskedProbability: r.MaskedProbability,
		}
	}
	if c := x.Completeness; c != nil {
		out.ScoreChange, out.CompletenessGap = proto.Float32(float32(c.ScoreChange)), proto.Float32(float32(c.Gap))
	}
	return out
}

func progress(sequence int64, p service.Progress) *pb.Progress {
	return &pb.Progress{Sequence: sequence, Method: methodNames[p.Method], Done: int64(p.Done), Total: int64(p.Total), Measuring: p.Measuring}
}

func modelRef(r explaind.ModelRef) *pb.ModelRef {
	return &pb.ModelRef{Name: r.Name, Version: r.Version, Digest: r.Digest}
}

func classScores(list []service.ClassScore) []*pb.ClassScore {
	out := make([]*pb.ClassScore, len(list))
	for i, c := range list {
		out[i] = classScore(c)
	}
	return out
}

func classScore(c service.ClassScore) *pb.ClassScore {
	return &pb.ClassScore{ClassIndex: int32(c.Class), Label: text(c.Label), Probability: c.Probability, Logit: c.Logit}
}

func timing(t service.Timing) *pb.Timing {
	return &pb.Timing{
		QueueUs: t.Queue.Microseconds(), DecodeUs: t.Decode.Microseconds(), RunUs: t.Run.Microseconds(),
		RenderUs: t.Render.Microseconds(), TotalUs: t.Total.Microseconds(),
	}
}

func littleEndian(values []float32) []byte {
	out := make([]byte, 4*len(values))
	for i, v := range values {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}

func int64s(list []int) []int64 {
	out := make([]int64, len(list))
	for i, n := range list {
		out[i] = int64(n)
	}
	return out
}

// text makes UTF-8 of names and labels that come from files: protobuf refuses to send anything else, and one bad label
// would make every answer an internal error.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func texts(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}
