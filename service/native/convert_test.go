package native

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// The tables have every value of the protocol, and the methods are those that can be computed.
func TestEnumsAreWhole(t *testing.T) {
	whole(t, methods)
	whole(t, scores)
	whole(t, resolutions)
	whole(t, interpolations)
	whole(t, colormaps)
	for _, m := range explain.Methods() {
		if p, found := methodNames[m]; !found || p.String() != "METHOD_"+strings.ToUpper(string(m)) {
			t.Errorf("method %q is %v in the protocol", m, p)
		}
	}
	if n := len(explain.Methods()); len(methodNames) != n {
		t.Errorf("the protocol has %d methods, package explain %d", len(methodNames), n)
	}
	for f := explaind.FlagAllNonPositive; f <= explaind.FlagZeroAlphaChannel; f++ {
		if int32(flags[f]) != int32(f) {
			t.Errorf("flag %d is %v", f, flags[f])
		}
	}
	for s := explaind.ModelLoading; s <= explaind.ModelFailed; s++ {
		if states[s].String() != "MODEL_STATE_"+s.String() {
			t.Errorf("state %v is %v", s, states[s])
		}
	}
}

func whole[P interface {
	comparable
	protoreflect.Enum
}, D any](t *testing.T, table map[P]D) {
	t.Helper()
	var zero P
	values := zero.Descriptor().Values()
	if values.Len() != len(table) {
		t.Errorf("%s has %d values, the table %d", zero.Descriptor().Name(), values.Len(), len(table))
	}
	for p := range table {
		if values.ByNumber(p.Number()) == nil {
			t.Errorf("%s has no value %d", zero.Descriptor().Name(), p.Number())
		}
	}
}

// Every config survives the way to the protocol, which the test goes, and back.
func TestExplainConfigRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := randomConfig(random)
		wire, err := proto.Marshal(configToPB(want))
		if err != nil {
			t.Fatal(err)
		}
		var message pb.ExplainConfig
		if err := proto.Unmarshal(wire, &message); err != nil {
			t.Fatal(err)
		}
		got, err := explainConfig(&message)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v became %+v, %v", want, got, err)
		}
	}
}

func randomConfig(r *rand.Rand) service.ExplainConfig {
	some := func() int { return r.IntN(4) - 1 }
	pointer := func() *int {
		n := int(int32(r.Uint32()))
		return &n
	}
	c := service.ExplainConfig{Score: explaind.Score(r.IntN(2)), TopK: int(int32(r.Uint32())), Rendering: service.Rendering{
		Values: r.IntN(2) == 0, HeatmapPNG: r.IntN(2) == 0, OverlayPNG: r.IntN(2) == 0, ComparisonPNG: r.IntN(2) == 0,
		Resolution: service.Resolution(r.IntN(3)), Interpolation: service.Interpolation(r.IntN(2)), Colormap: service.Colormap(r.IntN(4)),
	}}
	if r.IntN(2) == 0 {
		c.Rendering.Alpha = proto.Float32(r.Float32())
	}
	for range some() {
		c.Methods = append(c.Methods, explain.Methods()[r.IntN(len(explain.Methods()))])
	}
	for range some() {
		c.Layers = append(c.Layers, strings.Repeat("ä/", r.IntN(3)))
	}
	for range some() {
		var t service.Target
		switch r.IntN(4) {
		case 0:
			t.Class = pointer()
		case 1:
			t.Label = proto.String(strings.Repeat("kite", r.IntN(3)))
		case 2:
			t.Rank = pointer()
		}
		if r.IntN(2) == 0 {
			t.Versus = pointer()
		}
		c.Targets = append(c.Targets, t)
	}
	return c
}

// configToPB goes by the names of the protocol, not by the tables under test.
func configToPB(c service.ExplainConfig) *pb.ExplainConfig {
	r := c.Rendering
	out := &pb.ExplainConfig{
		Layers: c.Layers, TopK: int32(c.TopK), Score: []pb.Score{pb.Score_SCORE_LOGIT, pb.Score_SCORE_PROBABILITY}[c.Score],
		Rendering: &pb.Rendering{
			Values: r.Values, HeatmapPng: r.HeatmapPNG, OverlayPng: r.OverlayPNG, ComparisonPng: r.ComparisonPNG, Alpha: r.Alpha,
			Resolution:    []pb.Resolution{pb.Resolution_RESOLUTION_INPUT, pb.Resolution_RESOLUTION_LAYER, pb.Resolution_RESOLUTION_ORIGINAL}[r.Resolution],
			Interpolation: pb.Interpolation(pb.Interpolation_value["INTERPOLATION_"+strings.ToUpper(r.Interpolation.String())]),
			Colormap:      pb.Colormap(pb.Colormap_value["COLORMAP_"+strings.ToUpper(r.Colormap.String())]),
		},
	}
	for _, m := range c.Methods {
		out.Methods = append(out.Methods, pb.Method(pb.Method_value["METHOD_"+strings.ToUpper(string(m))]))
	}
	for _, t := range c.Targets {
		p := &pb.Target{}
		switch {
		case t.Class != nil:
			p.Kind = &pb.Target_ClassIndex{ClassIndex: int32(*t.Class)}
		case t.Label != nil:
			p.Kind = &pb.Target_Label{Label: *t.Label}
		case t.Rank != nil:
			p.Kind = &pb.Target_Rank{Rank: int32(*t.Rank)}
		}
		if t.Versus != nil {
			p.VersusClassIndex = proto.Int32(int32(*t.Versus))
		}
		out.Targets = append(out.Targets, p)
	}
	return out
}

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

// Messages that are not there at all are requests with nothing set.
func TestNilMessages(t *testing.T) {
	request, err := explainRequest(nil)
	if err != nil || !reflect.DeepEqual(request, &service.ExplainRequest{}) {
		t.Errorf("nil became %+v, %v", request, err)
	}
	if p := predictRequest(nil); !reflect.DeepEqual(p, &service.PredictRequest{}) {
		t.Errorf("nil became %+v", p)
	}
	if i := imageOf(&pb.Image{Source: &pb.Image_Tensor{}}); i.Tensor != nil || i.Encoded != nil {
		t.Errorf("nothing became %+v", i)
	}
	config, err := explainConfig(&pb.ExplainConfig{Targets: []*pb.Target{nil}})
	if err != nil || !reflect.DeepEqual(config, service.ExplainConfig{Targets: []service.Target{{}}}) {
		t.Errorf("a nil target became %+v, %v", config, err)
	}
}
