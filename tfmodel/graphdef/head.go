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
	Activation string // "softmax", "sigmoid", "linear", or "identity" where the output is probabilities already
	// Pooled is the feature map [N, H, W, C] that goes through global average pooling and one dense layer with the
	// kernel Kernel to the logits; both are zero for other heads.
	Pooled Ref
	Kernel Ref // [C, classes] or [1, 1, C, classes]
}

// FindHead walks back from the model's output.
func FindHead(g *Graph, output Ref, shapes Shapes) Head {
	head := Head{Logits: output, Activation: "linear"}
	n := g.Node(g.throughCopies(output).Node)
	switch {
	case n == nil:
	case n.Op == "Sigmoid":
		head.Activation, head.Logits = "sigmoid", firstInput(n)
	case n.Op == "Softmax" && lastSize(shapes, Ref{Node: n.Name}) == lastSize(shapes, output):
		head.Activation, head.Logits = "softmax", firstInput(n)
	case n.Op == "LogSoftmax": // the softmax of log-probabilities is the probabilities
		head.Logits = firstInput(n)
	case g.holdsProbabilities(output):
		head.Activation = "identity"
	case lastSize(shapes, output) == 1: // one number is the logit of one class against its absence
		head.Activation = "sigmoid"
	}
	head.Pooled, head.Kernel = g.pooled(head.Logits, shapes)
	return head
}

func (g *Graph) isConst(r Ref) bool {
	n := g.Node(g.throughCasts(r).Node)
	return n != nil && n.Op == "Const"
}

// EndsInProbabilities tells whether an output is the softmax or sigmoid of logits.
func EndsInProbabilities(g *Graph, output Ref, shapes Shapes) bool {
	switch FindHead(g, output, shapes).Activation {
	case "softmax", "sigmoid":
		return true
	}
	return false
}

// lastSize is the size of a tensor's last dimension, 0 if it is not known.
func lastSize(shapes Shapes, r Ref) int64 {
	shape, ok := shapes(r)
	if !ok || len(shape) == 0 {
		return 0
	}
	return max(shape[len(shape)-1], 0)
}

// holdsProbabilities tells whether an output is made of softmaxes or sigmoids, whatever was done to them: averaged over
// models, clipped, put together, taken over groups of classes, or written out as exponentials over their sum. It looks
// no further back than the last layer with weights.
func (g *Graph) holdsProbabilities(output Ref) bool {
	seen, stack := map[string]bool{}, []Ref{output}
	for len(stack) > 0 {
		n := g.Node(stack[len(stack)-1].Node)
		stack = stack[:len(stack)-1]
		if n == nil || seen[n.Name] {
			continue
		}
		seen[n.Name] = true
		switch n.Op {
		case "Softmax", "Sigmoid":
			return true
		case "RealDiv", "Div":
			if over := g.Node(g.throughCopies(firstInput(n)).Node); over != nil && over.Op == "Exp" {
				return true
			}
		case "MatMul", "BatchMatMul", "BatchMatMulV2", "Einsum", "Conv2D", "DepthwiseConv2dNative", "FusedBatchNormV3":
			continue
		case "Mul": // by a constant it is a mean's; x·sigmoid(x) is an activation
			if !g.isConst(Inputs(n)[0]) && !g.isConst(Inputs(n)[1]) {
				continue
			}
		}
		stack = append(stack, Inputs(n)...)
	}
	return false
}

// throughCopies follows operations that hand values on as they are.
func (g *Graph) throughCopies(r Ref) Ref { return g.through(r, copies) }

// throughCasts follows identities and changes of the number type, as models of mixed precision are full of.
func (g *Graph) throughCasts(r Ref) Ref {
	return g.through(r, func(op string) bool { return op == "Identity" || op == "Cast" })
}

func (g *Graph) throughIdentity(r Ref) Ref {
	return g.through(r, func(op string) bool { return op == "Identity" })
}

// through goes back over the operations that suit.
func (g *Graph) through(r Ref, suits func(op string) bool) Ref {
	for {
		n := g.Node(r.Node)
		if n == nil || r.Index != 0 || !suits(n.Op) {
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
	kernel = g.throughCasts(Inputs(n)[1])
	pool := g.Node(g.throughCopies(Inputs(n)[0]).Node)
	if pool == nil || !g.poolsAll(pool, shapes) {
		return Ref{}, Ref{}
	}
	features = g.throughCasts(Inputs(pool)[0])
	if !isClassKernel(shapes, kernel, lastSize(shapes, features)) {
		return Ref{}, Ref{}
	}
	return features, kernel
}

// isClassKernel wants [channels, classes] or [1, 1, channels, classes]: one weight for each channel and class. Kernels of
// larger or grouped convolutions hold others.
func isClassKernel(shapes Shapes, kernel Ref, channels int64) bool {
	shape, ok := shapes(kernel)
	if ok && len(shape) == 4 && shape[0] == 1 && shape[1] == 1 {
		shape = shape[2:]
	}
	return ok && len(shape) == 2 && shape[0] == channels
}

func isDense(n *nodepb.NodeDef) bool {
	switch n.Op {
	case "MatMul":
		return !n.Attr["transpose_a"].GetB() && !n.Attr["transpose_b"].GetB()
	case "Conv2D":
		return true // on 1×1 positions, if isClassKernel says so
	}
	return false
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
