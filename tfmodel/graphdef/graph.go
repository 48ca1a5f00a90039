// Package graphdef turns TensorFlow graphs into other TensorFlow graphs: it inlines functions, freezes variables, and
// finds logits, layers and head. It works on protocol buffers alone and never loads TensorFlow.
package graphdef

import (
	"fmt"
	"strconv"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// Ref names a tensor: output Index of the node Node.
type Ref struct {
	Node  string
	Index int
}

// ParseRef reads "node" and "node:1", the way flat graphs and signatures write tensors.
func ParseRef(s string) Ref {
	if colon := strings.LastIndexByte(s, ':'); colon > 0 {
		if i, err := strconv.Atoi(s[colon+1:]); err == nil {
			return Ref{s[:colon], i}
		}
	}
	return Ref{Node: s}
}

func (r Ref) String() string {
	if r.Index == 0 {
		return r.Node
	}
	return r.Node + ":" + strconv.Itoa(r.Index)
}

// Graph is a flat graph: no functions, no control inputs, nodes in topological order, every name once.
// It is not safe for concurrent use.
type Graph struct {
	Nodes  []*nodepb.NodeDef
	byName map[string]*nodepb.NodeDef
	copies map[string]int // of a name, those that UniqueName has given out
}

// NewGraph returns an empty graph.
func NewGraph() *Graph { return &Graph{byName: map[string]*nodepb.NodeDef{}, copies: map[string]int{}} }

// FromNodes makes a graph of nodes that are in topological order already.
func FromNodes(nodes []*nodepb.NodeDef) *Graph {
	g := NewGraph()
	for _, n := range nodes {
		g.Add(n)
	}
	return g
}

// Node finds a node by its name; nil if there is none.
func (g *Graph) Node(name string) *nodepb.NodeDef { return g.byName[name] }

// Add appends a node, whose inputs must be in the graph, and returns its first output.
func (g *Graph) Add(n *nodepb.NodeDef) Ref {
	g.Nodes = append(g.Nodes, n)
	g.byName[n.Name] = n
	return Ref{Node: n.Name}
}

// UniqueName returns name, or name with a number behind it if it is taken.
func (g *Graph) UniqueName(name string) string {
	if g.byName[name] == nil {
		return name
	}
	for { // counted, because a function may be called a hundred thousand times
		g.copies[name]++
		if candidate := fmt.Sprintf("%s__%d", name, g.copies[name]); g.byName[candidate] == nil {
			return candidate
		}
	}
}

// Inputs returns the data inputs of a node.
func Inputs(n *nodepb.NodeDef) []Ref {
	refs := make([]Ref, 0, len(n.Input))
	for _, in := range n.Input {
		if !strings.HasPrefix(in, "^") {
			refs = append(refs, ParseRef(in))
		}
	}
	return refs
}

// Input returns the node that feeds input i of n, and which of its outputs does; nil if there is none.
func (g *Graph) Input(n *nodepb.NodeDef, i int) (*nodepb.NodeDef, Ref) {
	inputs := Inputs(n)
	if i >= len(inputs) {
		return nil, Ref{}
	}
	return g.byName[inputs[i].Node], inputs[i]
}

// Consumers maps every node to the nodes that read one of its outputs.
func (g *Graph) Consumers() map[string][]*nodepb.NodeDef {
	consumers := map[string][]*nodepb.NodeDef{}
	for _, n := range g.Nodes {
		for _, in := range Inputs(n) {
			consumers[in.Node] = append(consumers[in.Node], n)
		}
	}
	return consumers
}

// Prune returns the graph of all that the given tensors depend on.
func (g *Graph) Prune(keep ...Ref) *Graph {
	needed := g.Ancestors(keep...)
	pruned := NewGraph()
	for _, n := range g.Nodes {
		if needed[n.Name] {
			pruned.Add(n)
		}
	}
	return pruned
}

// Ancestors is the set of nodes that the tensors depend on, their own nodes included.
func (g *Graph) Ancestors(refs ...Ref) map[string]bool {
	seen := map[string]bool{}
	var stack []string
	for _, r := range refs {
		stack = append(stack, r.Node)
	}
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := g.byName[name]
		if n == nil || seen[name] {
			continue
		}
		seen[name] = true
		for _, in := range Inputs(n) {
			stack = append(stack, in.Node)
		}
	}
	return seen
}

// Descendants is the set of nodes that depend on a node, itself included.
func (g *Graph) Descendants(name string) map[string]bool {
	seen := map[string]bool{name: true}
	for _, n := range g.Nodes { // topological order: one sweep is enough
		for _, in := range Inputs(n) {
			if seen[in.Node] {
				seen[n.Name] = true
				break
			}
		}
	}
	return seen
}

// Type makes an attribute of a data type.
func Type(t typespb.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: t}}
}

// Int makes an attribute of an integer.
func Int(i int64) *attrpb.AttrValue { return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: i}} }

// NewNode makes a node.
func NewNode(op, name string, inputs []Ref, attrs map[string]*attrpb.AttrValue) *nodepb.NodeDef {
	n := &nodepb.NodeDef{Op: op, Name: name, Attr: attrs}
	for _, in := range inputs {
		n.Input = append(n.Input, in.String())
	}
	return n
}
