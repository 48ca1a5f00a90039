package tfmodel

import (
	"fmt"
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
	name       string
	inputName  string // the key in the signature
	input      string // the tensor
	inputType  typespb.DataType
	inputShape []int64
	outputs    []output // the numeric ones, in the order of their keys
	chosen     string   // the output that the user named, or ""
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
			"signature %q must take one image [N, height, width, channels] of float32 or uint8 and nothing else; it takes images %v and %v: export the model with such a signature",
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

// refine takes the sizes of the input that the graph knows and the signature does not, and wants no contradictions.
func (s *signature) refine(bones *skeleton, input graphdef.Ref) error {
	dtype, err := bones.dtype(input)
	if err != nil {
		return unsupported(err)
	}
	shape, ok := bones.shapes(input)
	fits := typespb.DataType(dtype) == s.inputType && (!ok || len(shape) == 4)
	for i := range shape {
		if fits && s.inputShape[i] == -1 {
			s.inputShape[i] = shape[i]
		}
		fits = fits && (shape[i] == -1 || shape[i] == s.inputShape[i])
	}
	if !fits {
		return explaind.Errorf(explaind.FailedPrecondition, "INPUTS_NOT_UNDERSTOOD",
			"signature %q says that its input %q is %s %v, but the graph has %s %v there; export the model again",
			s.name, s.inputName, typeName(s.inputType), s.inputShape, typeName(typespb.DataType(dtype)), shape)
	}
	return s.checkInputShape()
}

// mostInputValues bounds what one run of a model with a fixed batch size takes: a gigabyte.
const mostInputValues = 1 << 28

// checkInputShape wants [N, H, W, C] with a known C, and sizes that fit into memory.
func (s *signature) checkInputShape() error {
	values, fits := int64(1), s.inputShape[3] > 0
	for _, d := range s.inputShape {
		switch {
		case d == -1:
		case d < 1 || d > mostInputValues/values:
			fits = false
		default:
			values *= d
		}
	}
	if c := s.inputShape[1]; (c == 1 || c == 3) && s.inputShape[3] > 4 {
		return explaind.Errorf(explaind.FailedPrecondition, "INPUTS_NOT_UNDERSTOOD",
			"input %q of signature %q has the shape %v, which is that of images with the channels first; export the model with channels_last",
			s.inputName, s.name, s.inputShape)
	}
	if !fits {
		return explaind.Errorf(explaind.FailedPrecondition, "INPUTS_NOT_UNDERSTOOD",
			"input %q of signature %q has the shape %v; it must be [N, height, width, channels] with a fixed number of channels and at most %d values: export the model with such an input",
			s.inputName, s.name, s.inputShape, mostInputValues)
	}
	return nil
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

// wanted are the tensors that the flat graph has to hold: the input first, then the outputs.
func (s *signature) wanted() []graphdef.Ref {
	wanted := []graphdef.Ref{graphdef.ParseRef(s.input)}
	for _, out := range s.outputs {
		wanted = append(wanted, out.Tensor)
	}
	return wanted
}

// typeName is a type as NumPy writes it.
func typeName(t typespb.DataType) string {
	switch t {
	case typespb.DataType_DT_HALF:
		return "float16"
	case typespb.DataType_DT_FLOAT:
		return "float32"
	case typespb.DataType_DT_DOUBLE:
		return "float64"
	default:
		return strings.ToLower(strings.TrimPrefix(t.String(), "DT_"))
	}
}

func byteSize(t *tf.Tensor) int {
	n := 1
	for _, d := range t.Shape() {
		n *= int(d)
	}
	switch t.DataType() {
	case tf.Double, tf.Int64:
		return 8 * n
	case tf.Float, tf.Int32:
		return 4 * n
	case tf.Half, tf.Bfloat16:
		return 2 * n
	default:
		return n
	}
}
