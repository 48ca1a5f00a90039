package tfmodel

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// output is one output of the signature. Its tensor is of float32 in the compiled graph, whatever the model returns.
type output struct {
	Name   string
	Tensor graphdef.Ref
}

// chooseOutputs lists the outputs that are numbers, in the order of their names. One of them has to be floating-point.
func (s *signature) chooseOutputs(def *corepb.SignatureDef) error {
	scores := false
	var seen []string
	for key, info := range def.Outputs {
		seen = append(seen, fmt.Sprintf("%s (%s)", key, typeName(info.Dtype)))
		if !isNumber(info.Dtype) {
			continue
		}
		name, err := savedmodel.TensorName(key, info)
		if err != nil {
			return unsupported(err)
		}
		s.outputs = append(s.outputs, output{key, graphdef.ParseRef(name)})
		scores = scores || isScore(info.Dtype)
	}
	sort.Slice(s.outputs, func(i, j int) bool { return s.outputs[i].Name < s.outputs[j].Name })
	if !scores {
		sort.Strings(seen)
		return outputsError("signature %q has no output of floating-point scores, only %s; export the model with one", s.name, strings.Join(seen, ", "))
	}
	return nil
}

func isScore(t typespb.DataType) bool {
	switch t {
	case typespb.DataType_DT_FLOAT, typespb.DataType_DT_HALF, typespb.DataType_DT_BFLOAT16:
		return true
	default:
		return false
	}
}

func isNumber(t typespb.DataType) bool {
	switch t {
	case typespb.DataType_DT_DOUBLE, typespb.DataType_DT_INT32, typespb.DataType_DT_INT64, typespb.DataType_DT_UINT8, typespb.DataType_DT_BOOL:
		return true
	default:
		return isScore(t)
	}
}

// classesOutput is the output that holds one score per class.
type classesOutput struct {
	name  string
	ref   graphdef.Ref
	count int64
}

// likelyNames are those of outputs that hold the classes, most telling first. Keras calls the first of several output_0.
var likelyNames = []string{"probabilities", "scores", "predictions", "logits", "output_0"}

// chooseOutput picks the output with the classes among the signature's tensors in the flat graph: the one that the user
// named, else the only one [N, classes], else the only one of them that ends in a softmax or
// sigmoid, else the one whose name says so.
func (s *signature) chooseOutput(bones *skeleton, flat *graphdef.Graph, input graphdef.Ref, tensors []graphdef.Ref) (classesOutput, error) {
	after := flat.Descendants(input.Node)
	var found []classesOutput
	var seen []string
	for i, out := range s.outputs {
		shape, ok := bones.shapes(tensors[i])
		seen = append(seen, fmt.Sprintf("%s %v", out.Name, shape))
		dtype, err := bones.dtype(tensors[i])
		if err != nil {
			return classesOutput{}, unsupported(err)
		}
		if classes, isClasses := classCount(shape); ok && isClasses && isScore(typespb.DataType(dtype)) && after[tensors[i].Node] {
			found = append(found, classesOutput{out.Name, tensors[i], classes})
		}
	}
	if s.chosen == "" && len(found) == 1 {
		return found[0], nil
	}
	if certain := slices.DeleteFunc(slices.Clone(found), func(c classesOutput) bool {
		return !graphdef.EndsInProbabilities(flat, c.ref, bones.shapes)
	}); s.chosen == "" && len(certain) == 1 {
		return certain[0], nil
	}
	names := likelyNames
	if s.chosen != "" {
		names = []string{s.chosen}
	}
	for _, name := range names {
		if i := slices.IndexFunc(found, func(c classesOutput) bool { return c.name == name }); i >= 0 {
			return found[i], nil
		}
	}
	if s.chosen != "" {
		return classesOutput{}, outputsError("%s names the output %q, which signature %q does not have as scores [N, classes]; it has %s: correct `output:`",
			SidecarName, s.chosen, s.name, strings.Join(seen, ", "))
	}
	return classesOutput{}, outputsError("no output of signature %q can be chosen as the classes [N, classes] among %s; name one as `output:` in %s",
		s.name, strings.Join(seen, ", "), SidecarName)
}

func outputsError(format string, args ...any) error {
	return explaind.Errorf(explaind.FailedPrecondition, "OUTPUTS_NOT_UNDERSTOOD", format, args...)
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
