package tfmodel

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// skeleton is a graph inside TensorFlow whose weights are placeholders: it infers shapes and differentiates without
// holding a single weight.
type skeleton struct {
	graph *tf.Graph
	flat  *graphdef.Graph
}

func newSkeleton(flat *graphdef.Graph) (*skeleton, error) {
	data, err := marshal(flat)
	if err != nil {
		return nil, err
	}
	s := &skeleton{graph: tf.NewGraph(), flat: flat}
	if err := s.graph.Import(data, ""); err != nil {
		return nil, fmt.Errorf("TensorFlow does not take the flattened graph: %w", err)
	}
	return s, nil
}

func marshal(flat *graphdef.Graph) ([]byte, error) {
	return proto.Marshal(&graphpb.GraphDef{Node: flat.Nodes, Versions: graphVersion})
}

func (s *skeleton) output(ref graphdef.Ref) (tf.Output, error) {
	op := s.graph.Operation(ref.Node)
	if op == nil || ref.Index >= op.NumOutputs() {
		return tf.Output{}, fmt.Errorf("the graph has no tensor %q", ref)
	}
	return op.Output(ref.Index), nil
}

// shapes is the inferred static shape of a tensor.
func (s *skeleton) shapes(ref graphdef.Ref) ([]int64, bool) {
	out, err := s.output(ref)
	if err != nil {
		return nil, false
	}
	shape, err := out.Shape().ToSlice()
	return shape, err == nil
}

// floats is shapes for tensors of floating-point numbers alone.
func (s *skeleton) floats(ref graphdef.Ref) ([]int64, bool) {
	if !s.isFloat(ref) {
		return nil, false
	}
	return s.shapes(ref)
}

func (s *skeleton) isFloat(ref graphdef.Ref) bool {
	dtype, err := s.dtype(ref)
	return err == nil && isScore(typespb.DataType(dtype))
}

func (s *skeleton) dtype(ref graphdef.Ref) (tf.DataType, error) {
	out, err := s.output(ref)
	if err != nil {
		return 0, err
	}
	return out.DataType(), nil
}

var noGradient = regexp.MustCompile(`No gradient defined for op: (\w+)`)

// differentiate adds ∂score/∂x for all x as one backward chain, starting from cotangent = ∂score/∂y. Where an operation
// has no gradient, every x that reaches y through it is left out, with the operation named. The results are in the
// order of x; a zero Ref where reasons[i] is not empty.
func (s *skeleton) differentiate(y, cotangent graphdef.Ref, x []graphdef.Ref) (gradients []graphdef.Ref, reasons []string, err error) {
	gradients, reasons = make([]graphdef.Ref, len(x)), make([]string, len(x))
	for {
		outputs, err := s.addGradients(y, cotangent, x, reasons)
		if err == nil {
			for i, n := 0, 0; i < len(x); i++ {
				if reasons[i] != "" {
					continue
				}
				if unconnected(outputs[n]) {
					reasons[i] = s.barrier(y, x[i])
				} else {
					gradients[i] = graphdef.Ref{Node: outputs[n].Op.Name(), Index: outputs[n].Index}
				}
				n++
			}
			return gradients, reasons, s.refresh()
		}
		match := noGradient.FindStringSubmatch(err.Error())
		if match == nil || !s.exclude(match[1], y, x, reasons) {
			return nil, nil, fmt.Errorf("differentiating: %w", err)
		}
		// What the failed attempt has added stays in TensorFlow's graph: start again from the flat one.
		fresh, err := newSkeleton(s.flat)
		if err != nil {
			return nil, nil, err
		}
		s.graph = fresh.graph
	}
}

// unconnected tells whether no gradient reaches an x. The binding then returns an operation around a null pointer, whose
// methods would end the process.
func unconnected(gradient tf.Output) bool {
	return gradient.Op == nil || reflect.ValueOf(gradient.Op).Elem().FieldByName("c").IsNil()
}

// barrier names what keeps the gradient of y from x, although y depends on x.
func (s *skeleton) barrier(y, x graphdef.Ref) string {
	n := s.between(x, s.flat.Ancestors(y), func(op string) bool {
		switch op {
		case "StopGradient", "Cast", "Round", "Rint", "Floor", "Ceil", "Sign", "ArgMax", "OneHot", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal":
			return true
		}
		return false
	})
	if n == nil {
		return "no gradient flows back to it from the classes"
	}
	return fmt.Sprintf("no gradient flows back to it: the operation %s at node %q, between this layer and the classes, may be what holds it up", n.Op, n.Name)
}

// between is the first node behind x, among those before y, whose operation suits; nil if there is none.
func (s *skeleton) between(x graphdef.Ref, before map[string]bool, suits func(op string) bool) *nodepb.NodeDef {
	after := s.flat.Descendants(x.Node)
	for _, n := range s.flat.Nodes {
		if suits(n.Op) && n.Name != x.Node && after[n.Name] && before[n.Name] {
			return n
		}
	}
	return nil
}

func (s *skeleton) addGradients(y, cotangent graphdef.Ref, x []graphdef.Ref, reasons []string) ([]tf.Output, error) {
	from, err := s.output(y)
	if err != nil {
		return nil, err
	}
	start, err := s.output(cotangent)
	if err != nil {
		return nil, err
	}
	var to []tf.Output
	for i, ref := range x {
		if reasons[i] != "" {
			continue
		}
		out, err := s.output(ref)
		if err != nil {
			return nil, err
		}
		to = append(to, out)
	}
	if len(to) == 0 {
		return nil, nil
	}
	return s.graph.AddGradients("gradients", []tf.Output{from}, to, []tf.Output{start})
}

// exclude gives a reason to every x from which an operation of the kind op lies on the way to y; false if there is no
// such x left.
func (s *skeleton) exclude(op string, y graphdef.Ref, x []graphdef.Ref, reasons []string) (found bool) {
	before := s.flat.Ancestors(y)
	for i, ref := range x {
		if reasons[i] != "" {
			continue
		}
		if n := s.between(ref, before, func(o string) bool { return o == op }); n != nil {
			reasons[i] = fmt.Sprintf("TensorFlow has no gradient for the operation %s at node %q, between this layer and the classes", op, n.Name)
			found = true
		}
	}
	return found
}

// refresh reads the graph with its gradients back.
func (s *skeleton) refresh() error {
	var buffer bytes.Buffer
	if _, err := s.graph.WriteTo(&buffer); err != nil {
		return fmt.Errorf("reading the differentiated graph: %w", err)
	}
	def := new(graphpb.GraphDef)
	if err := proto.Unmarshal(buffer.Bytes(), def); err != nil {
		return fmt.Errorf("reading the differentiated graph: %w", err)
	}
	s.flat = graphdef.FromNodes(def.Node)
	return nil
}
