package native

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/faithfulness"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// Every field of an answer is somewhere in the message, and nothing else is.
func TestExplainResponse(t *testing.T) {
	score := service.ClassScore{Class: 3, Label: "kite", Probability: 0.5, Logit: -2}
	answer := &service.ExplainAnswer{
		ImageID: "id", Model: explaind.ModelRef{Name: "m", Version: 4, Digest: "d"}, Predictions: []service.ClassScore{score, {Class: 1}},
		Explanations: []service.Explanation{
			{
				Method: explaind.MethodGradCAMPlusPlus, Layer: "l", Target: score, WithValues: true, RawMin: -1, RawMax: 8,
				Heatmap:    &explaind.Heatmap{Height: 1, Width: 3, Values: []float32{1, -0.25, float32(math.Inf(1))}},
				HeatmapPNG: []byte("h"), OverlayPNG: []byte("o"), Flags: []explaind.Flag{explaind.FlagFlat, explaind.FlagNonFinite},
				Faithfulness: &faithfulness.Report{
					Probability: 0.1, MaskedProbability: 0.2, AverageDrop: 0.3, Increase: true, AverageGain: 0.4, Deletion: 0.5, Insertion: 0.6, ROAD: -0.7,
					DeletionCurve: []float32{1}, InsertionCurve: []float32{2},
				},
				Completeness: &explain.Completeness{ScoreChange: -1.5, Gap: 0.25},
			},
			{Method: explaind.MethodCAM, Heatmap: &explaind.Heatmap{Height: 2, Width: 1, Values: []float32{1, 2}}},
		},
		ComparisonPNG: []byte("c"),
		Timing:        service.Timing{Queue: 1500 * time.Nanosecond, Decode: 2 * time.Millisecond, Run: time.Second, Render: time.Microsecond, Total: time.Minute},
	}
	values := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1))
	values = binary.LittleEndian.AppendUint32(values, math.Float32bits(-0.25))
	values = append(values, 0, 0, 0x80, 0x7f)
	kite := &pb.ClassScore{ClassIndex: 3, Label: "kite", Probability: 0.5, Logit: -2}
	want := &pb.ExplainResponse{
		ImageId: "id", Model: &pb.ModelRef{Name: "m", Version: 4, Digest: "d"}, Predictions: []*pb.ClassScore{kite, {ClassIndex: 1}},
		Explanations: []*pb.Explanation{
			{
				Method: pb.Method_METHOD_GRAD_CAM_PLUS_PLUS, Layer: "l", Target: kite,
				Heatmap:    &pb.Heatmap{Height: 1, Width: 3, Values: values, RawMin: -1, RawMax: 8},
				HeatmapPng: []byte("h"), OverlayPng: []byte("o"), Flags: []pb.Flag{pb.Flag_FLAG_FLAT, pb.Flag_FLAG_NON_FINITE},
				Faithfulness: &pb.Faithfulness{
					MaskedProbability: 0.2, AverageDrop: 0.3, Increase: true, AverageGain: 0.4, DeletionAuc: 0.5, InsertionAuc: 0.6, Road: -0.7,
				},
				ScoreChange: proto.Float32(-1.5), CompletenessGap: proto.Float32(0.25),
			},
			{Method: pb.Method_METHOD_CAM, Target: &pb.ClassScore{}, Heatmap: &pb.Heatmap{Height: 2, Width: 1}},
		},
		ComparisonPng: []byte("c"),
		Timing:        &pb.Timing{QueueUs: 1, DecodeUs: 2000, RunUs: 1_000_000, RenderUs: 1, TotalUs: 60_000_000},
	}
	if got := explainResponse(answer); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestPredictResponse(t *testing.T) {
	answer := &service.PredictAnswer{
		ImageID: "id", Model: explaind.ModelRef{Name: "m", Version: 4, Digest: "d"}, Predictions: []service.ClassScore{{Class: 2, Logit: 1}},
		Outputs: []explaind.NamedTensor{{Name: "y", Tensor: &explaind.Tensor{Shape: []int{1, 1}, Data: []float32{2}}}},
		Timing:  service.Timing{Total: time.Millisecond},
	}
	want := &pb.PredictResponse{
		ImageId: "id", Model: &pb.ModelRef{Name: "m", Version: 4, Digest: "d"}, Predictions: []*pb.ClassScore{{ClassIndex: 2, Logit: 1}},
		Outputs: []*pb.NamedTensor{{Name: "y", Tensor: &pb.Tensor{Shape: []int64{1, 1}, Dtype: pb.DataType_DATA_TYPE_FLOAT32, Data: []byte{0, 0, 0, 0x40}}}},
		Timing:  &pb.Timing{TotalUs: 1000},
	}
	if got := predictResponse(answer); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestProgressMessage(t *testing.T) {
	got := progress(-3, service.Progress{Method: explaind.MethodRISE, Done: 8, Total: 4000})
	if want := (&pb.Progress{Sequence: -3, Method: pb.Method_METHOD_RISE, Done: 8, Total: 4000}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
