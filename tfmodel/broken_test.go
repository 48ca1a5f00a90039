package tfmodel_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

// TestBroken breaks a model that works, in all ways that people have come up with. Each has to end in an error that says
// what is wrong and what to do, and never in the end of the process.
func TestBroken(t *testing.T) {
	for what, c := range map[string]struct {
		breakIt func(t *testing.T, dir string)
		reason  string
		says    []string
	}{
		"no such folder":  {func(t *testing.T, dir string) { remove(t, dir) }, "NOT_A_SAVED_MODEL", []string{"saved_model.pb", "give the folder"}},
		"empty folder":    {func(t *testing.T, dir string) { remove(t, dir); makeDir(t, dir) }, "NOT_A_SAVED_MODEL", []string{"saved_model.pb", "give the folder"}},
		"text format":     {func(t *testing.T, dir string) { rename(t, dir, "saved_model.pb", "saved_model.pbtxt") }, "NOT_A_SAVED_MODEL", []string{"saved_model.pbtxt", "export"}},
		"a folder for pb": {func(t *testing.T, dir string) { remove(t, dir, "saved_model.pb"); makeDir(t, dir, "saved_model.pb") }, "UNREADABLE", []string{"saved_model.pb", "not a file"}},
		"empty pb":        {func(t *testing.T, dir string) { write(t, "", dir, "saved_model.pb") }, "CORRUPT", []string{"saved_model.pb", "0 bytes", "copy it again"}},
		"garbage pb":      {func(t *testing.T, dir string) { write(t, strings.Repeat("<html>", 99), dir, "saved_model.pb") }, "CORRUPT", []string{"saved_model.pb", "594 bytes", "copy it again"}},
		"truncated pb":    {func(t *testing.T, dir string) { truncate(t, dir, "saved_model.pb") }, "CORRUPT", []string{"saved_model.pb", "copy it again"}},

		"no variables": {func(t *testing.T, dir string) { remove(t, dir, "variables") }, "VARIABLES_MISSING", []string{"variables.index", "copy the whole folder"}},
		"no index":     {func(t *testing.T, dir string) { remove(t, dir, "variables", "variables.index") }, "VARIABLES_MISSING", []string{"variables.index", "copy the whole folder"}},
		"empty index":  {func(t *testing.T, dir string) { write(t, "", dir, "variables", "variables.index") }, "VARIABLES_MISSING", []string{"variables.index", "empty"}},
		"garbage index": {func(t *testing.T, dir string) {
			write(t, strings.Repeat("<html>", 99), dir, "variables", "variables.index")
		}, "VARIABLES_UNREADABLE", []string{"copy the whole folder"}},
		"no data":             {func(t *testing.T, dir string) { remove(t, dir, "variables", "variables.data-00000-of-00001") }, "VARIABLES_MISSING", []string{"variables.data", "copy the whole folder"}},
		"empty data":          {func(t *testing.T, dir string) { write(t, "", dir, "variables", "variables.data-00000-of-00001") }, "VARIABLES_UNREADABLE", []string{"copy the whole folder"}},
		"truncated data":      {func(t *testing.T, dir string) { truncate(t, dir, "variables", "variables.data-00000-of-00001") }, "VARIABLES_UNREADABLE", []string{"copy the whole folder"}},
		"one flipped bit":     {func(t *testing.T, dir string) { flip(t, 5000, dir, "variables", "variables.data-00000-of-00001") }, "VARIABLES_UNREADABLE", []string{"copy the whole folder"}},
		"data of other model": {edit(func(m *corepb.MetaGraphDef) { dim(top(m, "conv2/weights"), 0, 5) }), "VARIABLES_UNREADABLE", []string{"conv2/weights"}},

		"no graph":                 {editModel(func(m *corepb.SavedModel) { m.MetaGraphs = nil }), "CORRUPT", []string{"no graph"}},
		"a graph for training":     {edit(func(m *corepb.MetaGraphDef) { m.MetaInfoDef.Tags = []string{"train"} }), "WRONG_TAG", []string{`"serve"`, "[train]", "export"}},
		"a graph for a TPU":        {edit(func(m *corepb.MetaGraphDef) { m.MetaInfoDef.Tags = []string{"serve", "tpu"} }), "WRONG_TAG", []string{"[serve, tpu]"}},
		"no signature":             {edit(func(m *corepb.MetaGraphDef) { m.SignatureDef = nil }), "NO_SIGNATURE", []string{"signature", "export"}},
		"two signatures":           {edit(func(m *corepb.MetaGraphDef) { m.SignatureDef["other"] = m.SignatureDef["classify"] }), "AMBIGUOUS_SIGNATURE", []string{"classify, other", "`signature:`", "explaind.yaml"}},
		"output that is not there": {edit(func(m *corepb.MetaGraphDef) { output(m).Encoding = named("Gone:0") }), "MODEL_NOT_UNDERSTOOD", []string{`"Gone"`, "does not exist"}},
		"output of no number":      {edit(func(m *corepb.MetaGraphDef) { output(m).Encoding = named("StatefulPartitionedCall:9") }), "MODEL_NOT_UNDERSTOOD", []string{`"StatefulPartitionedCall"`, "output 9"}},
		"input that is not there":  {edit(func(m *corepb.MetaGraphDef) { input(m).Encoding = named("Gone:0") }), "MODEL_NOT_UNDERSTOOD", []string{`"Gone"`, "does not exist"}},
		"input that is not read":   {edit(func(m *corepb.MetaGraphDef) { input(m).Encoding = named("conv1/weights:0") }), "MODEL_NOT_UNDERSTOOD", []string{`"classify_picture"`, `"classify"`, "export"}},
		"input without a name":     {edit(func(m *corepb.MetaGraphDef) { input(m).Encoding = nil }), "MODEL_NOT_UNDERSTOOD", []string{`"picture"`}},
		"strings":                  {edit(func(m *corepb.MetaGraphDef) { input(m).Dtype = typespb.DataType_DT_STRING }), "INPUTS_NOT_UNDERSTOOD", []string{"picture (string", "float32 or uint8"}},
		"rank 2":                   {edit(func(m *corepb.MetaGraphDef) { input(m).TensorShape = shape(-1, 6912) }), "INPUTS_NOT_UNDERSTOOD", []string{"picture (float32, rank 2)", "[N, height, width, channels]"}},
		"unknown rank":             {edit(func(m *corepb.MetaGraphDef) { input(m).TensorShape = &shapepb.TensorShapeProto{UnknownRank: true} }), "INPUTS_NOT_UNDERSTOOD", []string{"picture (float32, rank unknown)"}},
		"unknown channels":         {edit(func(m *corepb.MetaGraphDef) { inputShape(m, -1, 48, 48, -1) }), "INPUTS_NOT_UNDERSTOOD", []string{`"picture"`, "channels"}},
		"no pixels":                {edit(func(m *corepb.MetaGraphDef) { inputShape(m, -1, 0, 48, 3) }), "MODEL_NOT_UNDERSTOOD", []string{"logits"}},
		"channels first outside":   {edit(func(m *corepb.MetaGraphDef) { returns(m, "picture"); inputShape(m, -1, 3, 48, 48) }), "INPUTS_NOT_UNDERSTOOD", []string{`"picture"`, "[-1 3 48 48]", "channels_last"}},
		"no images":                {edit(func(m *corepb.MetaGraphDef) { inputShape(m, 0, 48, 48, 3) }), "INPUTS_NOT_UNDERSTOOD", []string{`"picture"`, "[0 48 48 3]"}},
		"too large a batch":        {edit(func(m *corepb.MetaGraphDef) { inputShape(m, 1<<40, 48, 48, 3) }), "INPUTS_NOT_UNDERSTOOD", []string{`"picture"`, "1099511627776"}},
		"too many pixels":          {edit(func(m *corepb.MetaGraphDef) { input(m).TensorShape = shape(-1, 1<<31, 1<<31, 3) }), "INPUTS_NOT_UNDERSTOOD", []string{`"picture"`, "2147483648"}},
		"another size":             {edit(func(m *corepb.MetaGraphDef) { input(m).TensorShape = shape(-1, 40, 40, 3) }), "INPUTS_NOT_UNDERSTOOD", []string{"[-1 40 40 3]", "[-1 48 48 3]"}},
		"another type":             {edit(func(m *corepb.MetaGraphDef) { input(m).Dtype = typespb.DataType_DT_UINT8 }), "INPUTS_NOT_UNDERSTOOD", []string{"uint8", "float32"}},
		"two images":               {edit(func(m *corepb.MetaGraphDef) { m.SignatureDef["classify"].Inputs["mask"] = input(m) }), "INPUTS_NOT_UNDERSTOOD", []string{"[mask picture]", "one image"}},
		"an image and a number":    {edit(func(m *corepb.MetaGraphDef) { m.SignatureDef["classify"].Inputs["rate"] = scalar("rate:0") }), "INPUTS_NOT_UNDERSTOOD", []string{"rate (float32, rank 0)"}},
		"classes without scores":   {edit(func(m *corepb.MetaGraphDef) { output(m).Dtype = typespb.DataType_DT_INT64 }), "OUTPUTS_NOT_UNDERSTOOD", []string{"classification (int64)"}},
		"feature maps":             {edit(func(m *corepb.MetaGraphDef) { returns(m, "conv3/Relu:activations:0") }), "OUTPUTS_NOT_UNDERSTOOD", []string{"classification [-1 12 12 32]", "`output:`", "explaind.yaml"}},

		"channels first": {edit(func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Attr["data_format"] = text("NCHW") }), "MODEL_NOT_UNDERSTOOD", []string{`"conv2/Conv2D"`, "channels_last"}},
		"control flow": {edit(func(m *corepb.MetaGraphDef) {
			n := inBody(m, "conv2/Relu")
			n.Op, n.Attr["Tin"], n.Attr["Tout"] = "StatelessIf", types(), types(typespb.DataType_DT_FLOAT)
			inBody(m, "conv3/Conv2D").Input[0] = "conv2/Relu:output:0"
		}), "MODEL_NOT_UNDERSTOOD", []string{`"conv2/Relu"`, "control flow", "training=False"}},
		"unknown operation":      {edit(func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Op = "Frobnicate" }), "MODEL_NOT_UNDERSTOOD", []string{"Frobnicate"}},
		"operation without data": {edit(func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Input = nil }), "MODEL_NOT_UNDERSTOOD", []string{"conv2/Conv2D"}},
		"read of nothing":        {edit(func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D/ReadVariableOp").Input = nil }), "MODEL_NOT_UNDERSTOOD", []string{"conv2/Conv2D/ReadVariableOp"}},
		"stride 0":               {edit(func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Attr["strides"] = list(1, 0, 0, 1) }), "MODEL_NOT_UNDERSTOOD", []string{"conv2/Conv2D", "tride"}},
		"no strides":             {edit(func(m *corepb.MetaGraphDef) { delete(inBody(m, "conv2/Conv2D").Attr, "strides") }), "MODEL_NOT_UNDERSTOOD", []string{"strides"}},
		"missing function":       {edit(func(m *corepb.MetaGraphDef) { m.GraphDef.Library.Function = nil }), "MODEL_NOT_UNDERSTOOD", []string{"function", "export"}},
		"missing graph":          {edit(func(m *corepb.MetaGraphDef) { m.GraphDef = nil }), "MODEL_NOT_UNDERSTOOD", []string{"does not exist"}},

		"unknown key":              {sidecar("imput: {mode: tf}"), "BAD_SIDECAR", []string{"explaind.yaml", "imput", "input, labels, layer, output, signature"}},
		"unknown key of input":     {sidecar("input: {mod: tf}"), "BAD_SIDECAR", []string{"explaind.yaml", "mod", "mode, mean, std"}},
		"not yaml":                 {sidecar("input: [}"), "BAD_SIDECAR", []string{"explaind.yaml", "did not find"}},
		"wrong type":               {sidecar("layer: {name: conv1}"), "BAD_SIDECAR", []string{"explaind.yaml", "line 1"}},
		"numbers that are words":   {sidecar("input: {mean: [red, green, blue]}"), "BAD_SIDECAR", []string{"explaind.yaml", "red"}},
		"unknown mode":             {sidecar("input: {mode: imagenet}"), "BAD_SIDECAR", []string{"input.mode", "imagenet", "none unit tf caffe torch"}},
		"unknown channels' order":  {sidecar("input: {channels: GBR}"), "BAD_SIDECAR", []string{"input.channels", "RGB BGR"}},
		"mode and mean":            {sidecar("input: {mode: tf, mean: 3}"), "BAD_SIDECAR", []string{"input.mode", "input.mean"}},
		"mean of two channels":     {sidecar("input: {mean: [1, 2]}"), "BAD_SIDECAR", []string{"input.mean", "3"}},
		"std of zero":              {sidecar("input: {std: 0}"), "BAD_SIDECAR", []string{"input.std"}},
		"infinite scale":           {sidecar("input: {scale: .inf}"), "BAD_SIDECAR", []string{"input.scale"}},
		"crop of nothing":          {sidecar("input: {crop: center, crop_fraction: -1}"), "BAD_SIDECAR", []string{"input.crop_fraction"}},
		"no labels file":           {sidecar("labels: gone.txt"), "BAD_LABELS", []string{"gone.txt"}},
		"labels that are a folder": {func(t *testing.T, dir string) { sidecar("labels: variables")(t, dir) }, "BAD_LABELS", []string{"variables"}},
		"unknown signature":        {sidecar("signature: predict"), "SIGNATURE_NOT_FOUND", []string{"predict", "classify", "explaind.yaml"}},
		"unknown output":           {sidecar("output: scores"), "OUTPUTS_NOT_UNDERSTOOD", []string{"scores", "classification"}},
		"unknown layer":            {sidecar("layer: conv9"), "BAD_SIDECAR", []string{"layer", "conv9", "conv3"}},
		"sidecar that is a folder": {func(t *testing.T, dir string) { makeDir(t, dir, "explaind.yaml") }, "BAD_SIDECAR", []string{"explaind.yaml"}},
	} {
		t.Run(what, func(t *testing.T) {
			dir := copyModel(t, "module")
			c.breakIt(t, dir)
			m, err := tfmodel.Open(context.Background(), dir)
			if err == nil {
				m.Close()
				t.Fatal("the model was opened")
			}
			var e *explaind.Error
			if !errors.As(err, &e) {
				t.Fatalf("not an *explaind.Error: %v", err)
			}
			if e.Code != explaind.FailedPrecondition || e.Reason != c.reason {
				t.Errorf("code %d, reason %s; want %d, %s: %v", e.Code, e.Reason, explaind.FailedPrecondition, c.reason, err)
			}
			for _, s := range c.says {
				if !strings.Contains(e.Message, s) {
					t.Errorf("the message does not say %q: %s", s, e.Message)
				}
			}
			if strings.Contains(e.Message, dir) {
				t.Errorf("the message tells where the server's files are: %s", e.Message)
			}
			t.Log(e.Message)
		})
	}
}
