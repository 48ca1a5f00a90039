package graphdef

import (
	"cmp"
	"encoding/binary"
	"math"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Score holds the tensors by which a request says what it wants explained, and reads what the model thinks.
type Score struct {
	Logits         Ref // float32 [N, classes]
	Probabilities  Ref // float32 [N, classes]
	Class          Ref // int32 [N], placeholder: class index, -1 for the row's most probable class
	Versus         Ref // int32 [N], placeholder: class to compare with, -1 for none
	OfProbability  Ref // bool [N], placeholder: score is the probability instead of the logit
	Cotangent      Ref // float32 [N, classes], ∂score/∂logits; may be fed for any other score
	ModelLogits    Ref // what Logits was made of, to differentiate
	ModelCotangent Ref // Cotangent in the type and shape of ModelLogits
}

// AddScore puts the score behind the logits: with v = e_class − e_versus, the cotangent is v for logits, P⊙(v − ⟨v,P⟩)
// for the softmax probability, v⊙P⊙(1−P) for the sigmoid one, and v where the logits are the probabilities.
func AddScore(g *Graph, head Head, classes int64, logitsType typespb.DataType) Score {
	b := scoreBuilder{g}
	s := Score{ModelLogits: head.Logits}
	logits := head.Logits
	if logitsType != typespb.DataType_DT_FLOAT {
		logits = b.op("Cast", "logits/cast", attrs{"SrcT": Type(logitsType), "DstT": Type(typespb.DataType_DT_FLOAT)}, logits)
	}
	s.Logits = b.op("Reshape", "logits", attrs{"T": Type(float), "Tshape": Type(integer)}, logits, b.ints("logits/shape", -1, int32(classes)))
	function := map[string]string{"sigmoid": "Sigmoid", "identity": "Identity"}[head.Activation]
	s.Probabilities = b.op(cmp.Or(function, "Softmax"), "probabilities", attrs{"T": Type(float)}, s.Logits)
	s.Class = g.Add(Placeholder(prefix+"class", integer, Shape(-1)))
	s.Versus = g.Add(Placeholder(prefix+"versus", integer, Shape(-1)))
	s.OfProbability = g.Add(Placeholder(prefix+"of_probability", typespb.DataType_DT_BOOL, Shape(-1)))

	v := b.direction(s, classes)
	ofProbability := b.ofProbability(v, s.Probabilities, head.Activation)
	column := b.op("ExpandDims", "of_probability/column", attrs{"T": Type(typespb.DataType_DT_BOOL), "Tdim": Type(integer)}, s.OfProbability, b.int("one", 1))
	s.Cotangent = b.op("SelectV2", "cotangent", attrs{"T": Type(float)}, column, ofProbability, v)
	shape := b.op("Shape", "logits/model_shape", attrs{"T": Type(logitsType), "out_type": Type(integer)}, head.Logits)
	s.ModelCotangent = b.op("Reshape", "cotangent/reshape", attrs{"T": Type(float), "Tshape": Type(integer)}, s.Cotangent, shape)
	if logitsType != typespb.DataType_DT_FLOAT {
		s.ModelCotangent = b.op("Cast", "cotangent/cast", attrs{"SrcT": Type(typespb.DataType_DT_FLOAT), "DstT": Type(logitsType)}, s.ModelCotangent)
	}
	return s
}

// prefix marks the nodes that are not the model's.
const prefix = "explaind/"

const (
	float   = typespb.DataType_DT_FLOAT
	integer = typespb.DataType_DT_INT32
)

type attrs = map[string]*attrpb.AttrValue

type scoreBuilder struct{ g *Graph }

func (b scoreBuilder) op(op, name string, a attrs, inputs ...Ref) Ref {
	return b.g.Add(NewNode(op, prefix+name, inputs, a))
}

// direction is v = e_class − e_versus; the one-hot row of index -1 is zero.
func (b scoreBuilder) direction(s Score, classes int64) Ref {
	best := b.op("ArgMax", "argmax", attrs{"T": Type(float), "Tidx": Type(integer), "output_type": Type(integer)}, s.Logits, b.int("axis", 1))
	wantsBest := b.op("Less", "class/wants_best", attrs{"T": Type(integer)}, s.Class, b.int("zero", 0))
	class := b.op("SelectV2", "class/resolved", attrs{"T": Type(integer)}, wantsBest, best, s.Class)
	depth, on, off := b.int("classes", int32(classes)), b.float("on", 1), b.float("off", 0)
	oneHot := attrs{"T": Type(float), "TI": Type(integer), "axis": Int(-1)}
	return b.op("Sub", "direction", attrs{"T": Type(float)},
		b.op("OneHot", "class/one_hot", oneHot, class, depth, on, off),
		b.op("OneHot", "versus/one_hot", oneHot, s.Versus, depth, on, off))
}

func (b scoreBuilder) ofProbability(v, p Ref, activation string) Ref {
	t := attrs{"T": Type(float)}
	if activation == "identity" {
		return v
	}
	vp := b.op("Mul", "probability/weighted", t, v, p)
	if activation == "sigmoid" {
		rest := b.op("Sub", "probability/rest", t, b.float("one_float", 1), p)
		return b.op("Mul", "probability/cotangent", t, vp, rest)
	}
	mean := b.op("Sum", "probability/mean", attrs{"T": Type(float), "Tidx": Type(integer), "keep_dims": {Value: &attrpb.AttrValue_B{B: true}}},
		vp, b.int("classes_axis", 1))
	return b.op("Mul", "probability/cotangent", t, p, b.op("Sub", "probability/centred", t, v, mean))
}

func (b scoreBuilder) int(name string, v int32) Ref {
	return b.constant(name, integer, nil, binary.LittleEndian.AppendUint32(nil, uint32(v)))
}

func (b scoreBuilder) ints(name string, values ...int32) Ref {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return b.constant(name, integer, []int64{int64(len(values))}, data)
}

func (b scoreBuilder) float(name string, v float32) Ref {
	return b.constant(name, float, nil, binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
}

func (b scoreBuilder) constant(name string, t typespb.DataType, shape []int64, data []byte) Ref {
	return b.g.Add(Constant(prefix+name, t, shape, data))
}

// Constant makes a node that holds row-major little-endian data.
func Constant(name string, t typespb.DataType, shape []int64, data []byte) *nodepb.NodeDef {
	value := &tensorpb.TensorProto{Dtype: t, TensorShape: Shape(shape...), TensorContent: data}
	return NewNode("Const", name, nil, attrs{"dtype": Type(t), "value": {Value: &attrpb.AttrValue_Tensor{Tensor: value}}})
}
