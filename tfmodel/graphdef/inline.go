package graphdef

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// maxDepth bounds function calls within function calls; Keras nests a handful.
const maxDepth = 100

// The largest models have some ten thousand nodes. These bounds keep a file from using up the stack, over which Go ends the
// process, or from growing without end by functions that call each other twice.
const (
	maxNodes = 1 << 20 // of the flat graph, and calls
	maxChain = 100_000 // nodes, each of which reads the one before
)

// Inline returns the flat graph of all that the outputs depend on, and the outputs' names in it. Function calls are
// replaced by their bodies, so that nothing of Keras' nesting is left. Control inputs are dropped: an inference graph
// has no side effects to order.
//
// A node of a function body is named by the folder of the call and its own name: the body of "conv1/PartitionedCall"
// goes to "conv1/…".
func Inline(def *graphpb.GraphDef, outputs []Ref, ops Ops) (*Graph, []Ref, error) {
	in := &inliner{ops: ops, functions: map[string]*functionpb.FunctionDef{}, flat: NewGraph()}
	for _, f := range def.GetLibrary().GetFunction() {
		in.functions[f.GetSignature().GetName()] = f
	}
	top := newScope("", def.GetNode())
	refs := make([]Ref, len(outputs))
	for i, out := range outputs {
		var err error
		if refs[i], err = in.resolve(top, out.String()); err != nil {
			return nil, nil, err
		}
	}
	return in.flat, refs, nil
}

type inliner struct {
	ops       Ops
	functions map[string]*functionpb.FunctionDef
	flat      *Graph
	visited   int // nodes so far, those of each call anew
	chain     int // nodes that wait for their inputs
}

// scope is the inside of one call.
type scope struct {
	prefix   string
	depth    int
	function bool
	nodes    map[string]*nodepb.NodeDef
	args     map[string]Ref
	attrs    map[string]*attrpb.AttrValue
	done     map[string]*emitted
}

// emitted is what a node became. A call becomes the tensors that its function returns.
type emitted struct {
	name    string
	call    *functionpb.FunctionDef // of a node whose operation is the function's own name
	returns []Ref
}

func newScope(prefix string, nodes []*nodepb.NodeDef) *scope {
	s := &scope{prefix: prefix, nodes: make(map[string]*nodepb.NodeDef, len(nodes)), done: map[string]*emitted{}}
	for _, n := range nodes {
		s.nodes[n.Name] = n
	}
	return s
}

// resolve finds the flat tensor for an input as it is written in the scope, and emits what it depends on.
func (in *inliner) resolve(s *scope, input string) (Ref, error) {
	if !s.function {
		ref := ParseRef(input)
		e, err := in.emit(s, ref.Node)
		if err != nil {
			return Ref{}, err
		}
		return e.output(ref.Index, ref.Node)
	}
	parts := strings.Split(input, ":")
	if arg, ok := s.args[parts[0]]; ok {
		return arg, nil
	}
	e, err := in.emit(s, parts[0])
	if err != nil {
		return Ref{}, err
	}
	if len(parts) != 3 {
		return e.output(0, parts[0])
	}
	index, err := strconv.Atoi(parts[2])
	if err != nil {
		return Ref{}, fmt.Errorf("tensor %q is not of the form node:argument:index", input)
	}
	if e.call != nil {
		return e.callOutput(parts[1], index, parts[0])
	}
	if index, err = in.ops.flatIndex(s.nodes[parts[0]], parts[1], index); err != nil {
		return Ref{}, err
	}
	return e.output(index, parts[0])
}

func (e *emitted) output(index int, node string) (Ref, error) {
	switch {
	case index < 0:
		return Ref{}, fmt.Errorf("output %d of node %q is read, which cannot be", index, node)
	case e.returns == nil:
		return Ref{e.name, index}, nil
	case index >= len(e.returns):
		return Ref{}, fmt.Errorf("node %q has %d outputs, but output %d is read", node, len(e.returns), index)
	default:
		return e.returns[index], nil
	}
}

// callOutput finds an output of a node whose operation is a function's own name: its arguments are the function's.
func (e *emitted) callOutput(arg string, index int, node string) (Ref, error) {
	for i, out := range e.call.GetSignature().GetOutputArg() {
		if out.Name == arg {
			return e.output(i+index, node)
		}
	}
	return Ref{}, fmt.Errorf("node %q (%s) has no output argument %q", node, e.call.GetSignature().GetName(), arg)
}

// emit puts the node, and before it all that it depends on, into the flat graph.
func (in *inliner) emit(s *scope, name string) (*emitted, error) {
	if e, ok := s.done[name]; ok {
		if e == nil {
			return nil, fmt.Errorf("node %q depends on itself: loops (tf.while_loop) are not understood", s.prefix+name)
		}
		return e, nil
	}
	n := s.nodes[name]
	if n == nil {
		return nil, fmt.Errorf("node %q is read but does not exist", s.prefix+name)
	}
	s.done[name] = nil
	if err := in.enter(); err != nil {
		return nil, err
	}
	defer func() { in.chain-- }()
	inputs, err := in.inputs(s, n)
	if err != nil {
		return nil, err
	}
	e, err := in.place(s, n, inputs)
	if err != nil {
		return nil, err
	}
	s.done[name] = e
	return e, nil
}

// enter counts a node whose inputs come next.
func (in *inliner) enter() error {
	in.visited++
	in.chain++
	switch {
	case in.visited > maxNodes:
		return fmt.Errorf("the graph has more than %d nodes once its functions are written out, which no classifier needs", maxNodes)
	case in.chain > maxChain:
		return fmt.Errorf("the graph has more than %d nodes one after another, which no classifier needs", maxChain)
	}
	return nil
}

func (in *inliner) inputs(s *scope, n *nodepb.NodeDef) ([]Ref, error) {
	var refs []Ref
	for _, input := range n.Input {
		if strings.HasPrefix(input, "^") {
			continue
		}
		ref, err := in.resolve(s, input)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// place puts one node, whose inputs are there, into the flat graph, or what stands for it.
func (in *inliner) place(s *scope, n *nodepb.NodeDef, inputs []Ref) (*emitted, error) {
	function, err := in.called(n)
	switch {
	case err != nil:
		return nil, err
	case function != nil:
		returns, err := in.call(s, n, function, n.Attr["f"].GetFunc().GetAttr(), inputs)
		e := &emitted{returns: returns}
		if n.Op == function.GetSignature().GetName() {
			e.call = function
		}
		return e, err
	case (n.Op == "If" || n.Op == "StatelessIf") && len(inputs) > 0 && in.functions[in.flat.chosen(n, inputs[0])] != nil:
		returns, err := in.call(s, n, in.functions[in.flat.chosen(n, inputs[0])], nil, inputs[1:])
		return &emitted{returns: returns}, err
	case n.Op == "IdentityN":
		// Keras wraps swish and its like into an IdentityN with a gradient in Python, which is not in the file; what
		// it passes through has a gradient of its own.
		return &emitted{returns: inputs}, nil
	default:
		flat := &nodepb.NodeDef{Op: n.Op, Name: in.flat.UniqueName(s.prefix + n.Name), Attr: in.attrs(s, n)}
		for _, ref := range inputs {
			flat.Input = append(flat.Input, ref.String())
		}
		in.flat.Add(flat)
		return &emitted{name: flat.Name}, nil
	}
}

// called is the function that a node calls; nil if it is a plain operation.
func (in *inliner) called(n *nodepb.NodeDef) (*functionpb.FunctionDef, error) {
	switch n.Op {
	case "PartitionedCall", "StatefulPartitionedCall":
		name := n.Attr["f"].GetFunc().GetName()
		if f := in.functions[name]; f != nil {
			return f, nil
		}
		return nil, fmt.Errorf("node %q calls the function %q, which the file does not hold; export the model again", n.Name, name)
	default:
		return in.functions[n.Op], nil
	}
}

func (in *inliner) call(s *scope, n *nodepb.NodeDef, f *functionpb.FunctionDef, given map[string]*attrpb.AttrValue, inputs []Ref) ([]Ref, error) {
	name := f.GetSignature().GetName()
	if s.depth == maxDepth {
		return nil, fmt.Errorf("function %q is called more than %d calls deep", name, maxDepth)
	}
	args := f.GetSignature().GetInputArg()
	if len(args) != len(inputs) {
		return nil, fmt.Errorf("node %q calls function %q with %d inputs, it takes %d", n.Name, name, len(inputs), len(args))
	}
	prefix := s.prefix
	if folder := path.Dir(n.Name); folder != "." {
		prefix += folder + "/"
	}
	body := newScope(prefix, f.NodeDef)
	body.function, body.depth = true, s.depth+1
	body.attrs = given
	body.args = make(map[string]Ref, len(args))
	for i, arg := range args {
		body.args[arg.Name] = inputs[i]
	}
	returns := make([]Ref, 0, len(f.GetSignature().GetOutputArg()))
	for _, out := range f.GetSignature().GetOutputArg() {
		ref, err := in.resolve(body, f.Ret[out.Name])
		if err != nil {
			return nil, fmt.Errorf("in function %q: %w", name, err)
		}
		returns = append(returns, ref)
	}
	return returns, nil
}

// attrs copies the attributes that the operation defines, and fills in the ones that the call hands to the function.
// Those with an underscore in front are notes of whoever wrote the graph, such as shapes that held at that time.
func (in *inliner) attrs(s *scope, n *nodepb.NodeDef) map[string]*attrpb.AttrValue {
	attrs := make(map[string]*attrpb.AttrValue, len(n.Attr))
	for key, value := range n.Attr {
		if strings.HasPrefix(key, "_") {
			continue
		}
		if name := value.GetPlaceholder(); name != "" {
			if given := s.attrs[name]; given != nil {
				value = given
			}
		}
		attrs[key] = proto.Clone(value).(*attrpb.AttrValue)
	}
	return attrs
}
