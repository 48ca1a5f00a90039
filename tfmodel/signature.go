package tfmodel

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// signature is the signature that is served: one image in, classes out.
type signature struct {
	name        string
	inputName   string // the key in the signature
	input       string // the tensor
	inputType   typespb.DataType
	inputShape  []int64
	outputNames []string // keys of the numeric outputs
	outputs     []graphdef.Ref
	chosen      string // the output that the user named, or ""
}

// chooseSignature picks the signature and its image input.
func chooseSignature(meta *corepb.MetaGraphDef, side sidecar) (*signature, error) {
	name, def, err := savedmodel.Signature(meta, side.Signature)
	if err != nil {
		return nil, err
	}
	s := &signature{name: name, chosen: side.Output}
	var images, others []string
	for key, info := range def.Inputs {
		if s.isImage(info) {
			images = append(images, key)
		} else {
			others = append(others, fmt.Sprintf("%s (%s, rank %s)", key, typeName(info.Dtype), rank(info)))
		}
	}
	sort.Strings(others)
	if len(images) != 1 || len(others) > 0 {
		sort.Strings(images)
		return nil, explaind.Errorf(explaind.FailedPrecondition, "INPUTS_NOT_UNDERSTOOD",
			"signature %q must take one image [N, height, width, channels] of float32 or uint8 and nothing else; it takes images %v and %v",
			name, images, others)
	}
	info := def.Inputs[images[0]]
	s.inputName, s.inputType = images[0], info.Dtype
	if s.input, err = savedmodel.TensorName(images[0], info); err != nil {
		return nil, unsupported(err)
	}
	for _, d := range info.GetTensorShape().GetDim() {
		s.inputShape = append(s.inputShape, d.Size)
	}
	return s, s.chooseOutputs(def)
}

func (s *signature) isImage(info *corepb.TensorInfo) bool {
	numeric := info.Dtype == typespb.DataType_DT_FLOAT || info.Dtype == typespb.DataType_DT_UINT8
	return numeric && len(info.GetTensorShape().GetDim()) == 4
}

func rank(info *corepb.TensorInfo) string {
	if info.GetTensorShape().GetUnknownRank() {
		return "unknown"
	}
	return fmt.Sprint(len(info.GetTensorShape().GetDim()))
}

// chooseOutputs lists the outputs of float32, in the order of their names.
func (s *signature) chooseOutputs(def *corepb.SignatureDef) error {
	var left []string
	for key, info := range def.Outputs {
		if info.Dtype == typespb.DataType_DT_FLOAT || info.Dtype == typespb.DataType_DT_HALF || info.Dtype == typespb.DataType_DT_BFLOAT16 {
			s.outputNames = append(s.outputNames, key)
		} else {
			left = append(left, fmt.Sprintf("%s (%s)", key, typeName(info.Dtype)))
		}
	}
	sort.Strings(s.outputNames)
	if len(s.outputNames) == 0 {
		sort.Strings(left)
		return explaind.Errorf(explaind.FailedPrecondition, "OUTPUTS_NOT_UNDERSTOOD",
			"signature %q has no output of floating-point scores, only %s", s.name, strings.Join(left, ", "))
	}
	for _, key := range s.outputNames {
		name, err := savedmodel.TensorName(key, def.Outputs[key])
		if err != nil {
			return unsupported(err)
		}
		s.outputs = append(s.outputs, graphdef.ParseRef(name))
	}
	return nil
}

// wanted are the tensors that the flat graph has to hold: the input first, then the outputs.
func (s *signature) wanted() []graphdef.Ref {
	return append([]graphdef.Ref{graphdef.ParseRef(s.input)}, s.outputs...)
}

// classesOutput is the output that holds one score per class.
type classesOutput struct {
	name  string
	ref   graphdef.Ref
	count int64
}

// chooseOutput picks the output with the classes: the one that the user named, else the only one [N, classes], else the
// one whose name says so.
func (s *signature) chooseOutput(bones *skeleton, flat *graphdef.Graph, input graphdef.Ref, outputs []graphdef.Ref) (classesOutput, error) {
	after := flat.Descendants(input.Node)
	var found []classesOutput
	var seen []string
	for i, key := range s.outputNames {
		shape, ok := bones.shapes(outputs[i])
		seen = append(seen, fmt.Sprintf("%s %v", key, shape))
		if classes, isScores := classCount(shape); ok && isScores && after[outputs[i].Node] {
			found = append(found, classesOutput{key, outputs[i], classes})
		}
	}
	want := []string{s.chosen}
	if s.chosen == "" {
		if len(found) == 1 {
			return found[0], nil
		}
		want = []string{"probabilities", "scores", "predictions", "logits", "output_0"}
	}
	for _, name := range want {
		if i := slices.IndexFunc(found, func(c classesOutput) bool { return c.name == name }); i >= 0 {
			return found[i], nil
		}
	}
	return classesOutput{}, explaind.Errorf(explaind.FailedPrecondition, "OUTPUTS_NOT_UNDERSTOOD",
		"no output of signature %q can be chosen as the classes [N, classes] among %s; name one as `output:` in explaind.yaml", s.name, strings.Join(seen, ", "))
}

// classCount reads [N, classes] and [N, 1, 1, classes].
func classCount(shape []int64) (int64, bool) {
	if len(shape) == 4 && shape[1] == 1 && shape[2] == 1 {
		shape = []int64{shape[0], shape[3]}
	}
	if len(shape) != 2 || shape[1] < 1 {
		return 0, false
	}
	return shape[1], true
}

func typeName(t typespb.DataType) string {
	return strings.ToLower(strings.TrimPrefix(t.String(), "DT_"))
}

func byteSize(t *tf.Tensor) int {
	n := 1
	for _, d := range t.Shape() {
		n *= int(d)
	}
	size := map[tf.DataType]int{tf.Float: 4, tf.Double: 8, tf.Half: 2, tf.Bfloat16: 2, tf.Int32: 4, tf.Int64: 8, tf.Uint8: 1, tf.Bool: 1}[t.DataType()]
	return n * max(size, 1)
}
