package graphdef

import (
	"encoding/binary"
	"fmt"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Shapes tells the static shape of a tensor, with -1 for sizes that are not known before it runs. ok is false if not
// even the rank is known.
type Shapes func(Ref) (shape []int64, ok bool)

// Head is what lies between the last feature map and the model's output.
type Head struct {
	Logits     Ref
	Activation string // "softmax", "sigmoid" or "linear"
	// Pooled is the feature map [N, H, W, C] that goes through global average pooling and one dense layer with the
	// kernel Kernel to the logits; both are zero for other heads.
	Pooled Ref
	Kernel Ref // [C, classes] or [1, 1, C, classes]
}

// FindHead walks back from the model's output.
func FindHead(g *Graph, output Ref, shapes Shapes) Head {
	head := Head{Logits: output, Activation: "linear"}
	if n := g.Node(g.throughCopies(output).Node); n != nil {
		switch n.Op {
		case "Softmax", "Sigmoid":
			head.Activation = map[string]string{"Softmax": "softmax", "Sigmoid": "sigmoid"}[n.Op]
			head.Logits = Inputs(n)[0]
		case "LogSoftmax":
			head.Activation = "linear" // the softmax of log-probabilities is the probabilities
			head.Logits = Inputs(n)[0]
		}
	}
	head.Pooled, head.Kernel = g.pooled(head.Logits, shapes)
	return head
}

// throughCopies follows operations that hand values on as they are.
func (g *Graph) throughCopies(r Ref) Ref {
	for {
		n := g.Node(r.Node)
		if n == nil || r.Index != 0 || !copies(n.Op) {
			return r
		}
		r = Inputs(n)[0]
	}
}

func copies(op string) bool {
	switch op {
	case "Identity", "Reshape", "Squeeze", "ExpandDims", "Cast", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "CheckNumerics":
		return true
	}
	return false
}

// pooled recognises GlobalAveragePooling2D + Dense, the dense layer also as a 1×1 convolution.
func (g *Graph) pooled(logits Ref, shapes Shapes) (features, kernel Ref) {
	n := g.Node(g.throughCopies(logits).Node)
	if n != nil && (n.Op == "BiasAdd" || n.Op == "Add" || n.Op == "AddV2") {
		n = g.Node(g.throughCopies(Inputs(n)[0]).Node)
	}
	if n == nil || !isDense(n) {
		return Ref{}, Ref{}
	}
	kernel = g.throughIdentity(Inputs(n)[1])
	pool := g.Node(g.throughCopies(Inputs(n)[0]).Node)
	if pool == nil || !g.poolsAll(pool, shapes) {
		return Ref{}, Ref{}
	}
	return g.throughIdentity(Inputs(pool)[0]), kernel
}

func isDense(n *nodepb.NodeDef) bool {
	switch n.Op {
	case "MatMul":
		return !n.Attr["transpose_a"].GetB() && !n.Attr["transpose_b"].GetB()
	case "Conv2D":
		return true // after pooling to 1×1, any convolution with a 1×1 kernel; others do not fit a [C, classes] kernel
	}
	return false
}

func (g *Graph) throughIdentity(r Ref) Ref {
	for {
		n := g.Node(r.Node)
		if n == nil || n.Op != "Identity" {
			return r
		}
		r = Inputs(n)[0]
	}
}

// poolsAll tells whether a node is the mean over all positions of a feature map.
func (g *Graph) poolsAll(n *nodepb.NodeDef, shapes Shapes) bool {
	input, ok := shapes(firstInput(n))
	if !ok || len(input) != 4 {
		return false
	}
	switch n.Op {
	case "Mean":
		axes, err := g.ConstInts(Inputs(n)[1])
		if err != nil || len(axes) != 2 {
			return false
		}
		for i := range axes {
			axes[i] = (axes[i] + 4) % 4
		}
		return axes[0]+axes[1] == 3 && axes[0]*axes[1] == 2
	case "AvgPool":
		window := n.Attr["ksize"].GetList().GetI()
		return len(window) == 4 && window[1] == input[1] && window[2] == input[2] && string(n.Attr["padding"].GetS()) == "VALID"
	}
	return false
}

func firstInput(n *nodepb.NodeDef) Ref {
	if in := Inputs(n); len(in) > 0 {
		return in[0]
	}
	return Ref{}
}

// ConstInts reads a constant of integers.
func (g *Graph) ConstInts(r Ref) ([]int64, error) {
	r = g.throughIdentity(r)
	n := g.Node(r.Node)
	if n == nil || n.Op != "Const" {
		return nil, fmt.Errorf("%q is not a constant", r)
	}
	t := n.Attr["value"].GetTensor()
	count := int64(1)
	for _, d := range shapeOf(t.GetTensorShape()) {
		count *= d
	}
	values := make([]int64, 0, count)
	switch {
	case t.GetDtype() == typespb.DataType_DT_INT32 && len(t.TensorContent) > 0:
		for b := t.TensorContent; len(b) >= 4; b = b[4:] {
			values = append(values, int64(int32(binary.LittleEndian.Uint32(b))))
		}
	case t.GetDtype() == typespb.DataType_DT_INT64 && len(t.TensorContent) > 0:
		for b := t.TensorContent; len(b) >= 8; b = b[8:] {
			values = append(values, int64(binary.LittleEndian.Uint64(b)))
		}
	case t.GetDtype() == typespb.DataType_DT_INT32:
		for _, v := range t.IntVal {
			values = append(values, int64(v))
		}
	case t.GetDtype() == typespb.DataType_DT_INT64:
		values = append(values, t.Int64Val...)
	default:
		return nil, fmt.Errorf("%q is a constant of %v, not of integers", r, t.GetDtype())
	}
	for int64(len(values)) < count && len(values) > 0 { // the last value of a short list repeats
		values = append(values, values[len(values)-1])
	}
	return values, nil
}
