package native_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	known "github.com/explaind/explaind/explain"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

func TestListModels(t *testing.T) {
	models := map[string]explaind.Model{"broken": nil, "colours": colours()}
	loading := start(t, setup{models: models, loading: true})
	got := must[*pb.ListModelsResponse](t)(loading.ListModels(t.Context(), &pb.ListModelsRequest{}))
	same(t, got, `
		models { name: "broken" versions { version: 1 state: MODEL_STATE_LOADING } }
		models { name: "colours" versions { version: 1 state: MODEL_STATE_LOADING } }`)

	loading.repo.Load(t.Context())
	got = must[*pb.ListModelsResponse](t)(loading.ListModels(t.Context(), &pb.ListModelsRequest{}))
	why := got.GetModels()[0].GetVersions()[0].GetStatus()
	got.GetModels()[0].GetVersions()[0].Status = nil
	same(t, got, `
		models { name: "broken" versions { version: 1 state: MODEL_STATE_FAILED } }
		models { name: "colours" versions { version: 1 state: MODEL_STATE_READY digest: "fa4ered" } }`)
	s := status.FromProto(why)
	if s.Code() != codes.FailedPrecondition || s.Message() != "the variables are missing" || s.Details()[0].(*errdetails.ErrorInfo).GetReason() != "BAD_SAVED_MODEL" {
		t.Errorf("why it failed: %v", why)
	}

	none := start(t, setup{})
	same(t, must[*pb.ListModelsResponse](t)(none.ListModels(t.Context(), &pb.ListModelsRequest{})), ``)
}

func TestGetModel(t *testing.T) {
	m := colours()
	spec := m.Spec()
	spec.Outputs = append(spec.Outputs, explaind.Output{Name: "features", DType: "half", Shape: []int{-1, 2, 2, 3}})
	spec.Warnings = []string{"a warning"}
	r := start(t, one(m))
	got := must[*pb.GetModelResponse](t)(r.GetModel(t.Context(), &pb.GetModelRequest{Model: "colours", Version: 1}))
	const lacking = explaind.NeedsGuidedGradients | explaind.NeedsKernel // what the model has at no layer
	features := listed("methods", lacking, 0)
	frozen := listed("methods", lacking|explaind.NeedsGradients|explaind.NeedsClassWeights|explaind.NeedsHead|explaind.NeedsCrossing, 0)
	ofInput := listed("input_methods", lacking, known.OfInput)
	for list, least := range map[string]int{features: 19, frozen: 8, ofInput: 6} {
		if n := strings.Count(list, "METHOD_"); n < least {
			t.Fatalf("only %d methods are left: %s", n, list)
		}
	}
	same(t, got, `
		model { name: "colours" version: 1 digest: "fa4ered" }
		input { name: "x" height: 4 width: 4 channels: 3 dtype: "float32" }
		outputs { name: "y" dtype: "float32" shape: -1 shape: 3 }
		outputs { name: "features" dtype: "half" shape: -1 shape: 2 shape: 2 shape: 3 }
		head { output: "y" activation: "softmax" classes: 3 pooled_layer: "block/features" }
		labels: "red" labels: "green" labels: "blue"
		preprocessing { mode: "unit" channels: "RGB" resize: "bilinear" crop: "none" }
		layers { name: "frozen" op: "AvgPool" height: 2 width: 2 channels: 3 reason: "operation Frozen has no gradient" `+frozen+`}
		layers {
			name: "block/features" aliases: "features" aliases: "block/features/AvgPool:0" op: "AvgPool" height: 2 width: 2 channels: 3
			`+features+`
		}
		`+ofInput+`
		default_layer: "block/features"
		warnings: "a warning"
		versions { version: 1 state: MODEL_STATE_READY digest: "fa4ered" }`)
}

// listed are the methods that need nothing of lacking and have the traits, as a repeated field of the text format.
func listed(field string, lacking explaind.Needs, traits known.Traits) string {
	var list strings.Builder
	for _, m := range known.Methods() {
		if d, err := known.Lookup(m); err == nil && d.Needs&lacking == 0 && d.Traits.Has(traits) {
			fmt.Fprintf(&list, "%s: METHOD_%s ", field, strings.ToUpper(string(m)))
		}
	}
	return list.String()
}

// Zero values of a model's preprocessing are spelled out.
func TestGetModelPreprocessing(t *testing.T) {
	for _, c := range []struct {
		how  explaind.Preprocessing
		want string
	}{
		{explaind.Preprocessing{}, `mode: "none" channels: "RGB" resize: "bilinear" crop: "none"`},
		{explaind.Preprocessing{Mode: explaind.ModeCaffe, Resize: explaind.ResizeArea}, `mode: "caffe" channels: "RGB" resize: "area" crop: "none"`},
		{explaind.Preprocessing{Mean: []float32{1, 2, 3}, BGR: true, Crop: explaind.CropCenter},
			`mean: 1 mean: 2 mean: 3 scale: 1 channels: "BGR" resize: "bilinear" crop: "center" crop_fraction: 0.875`},
		{explaind.Preprocessing{Scale: 0.5, Std: []float32{4}, Resize: explaind.ResizeBicubic, Crop: explaind.CropCenter, CropFraction: 0.9},
			`std: 4 scale: 0.5 channels: "RGB" resize: "bicubic" crop: "center" crop_fraction: 0.9`},
	} {
		m := colours()
		m.Spec().Preprocessing = c.how
		r := start(t, one(m))
		got := must[*pb.GetModelResponse](t)(r.GetModel(t.Context(), &pb.GetModelRequest{}))
		same(t, got.GetPreprocessing(), c.want)
	}
}

// same compares a message with one in the text format.
func same[M proto.Message](t *testing.T, got M, text string) {
	t.Helper()
	want := got.ProtoReflect().New().Interface()
	if err := prototext.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
