package graphdef

import (
	"strings"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// FoldConditions takes the conditions out of a TensorFlow 1 graph whose predicate is known: tf.cond on a flag like
// is_training or keras_learning_phase, a placeholder whose default says what holds while serving.
//
// A condition is a Switch for every tensor that goes in, the nodes of both branches, and a Merge for every one that comes
// out. What the predicate does not choose is dead; so is what depends on it, be it by a control input.
func FoldConditions(def *graphpb.GraphDef) *graphpb.GraphDef {
	f := &conditions{byName: map[string]*nodepb.NodeDef{}, dead: map[string]bool{}}
	found := false
	for _, n := range def.GetNode() {
		f.byName[n.Name] = n
		found = found || isSwitch(n)
	}
	if !found {
		return def
	}
	folded := &graphpb.GraphDef{Library: def.Library, Versions: def.Versions}
	for _, n := range def.Node {
		folded.Node = append(folded.Node, f.fold(n))
	}
	return folded
}

type conditions struct {
	byName map[string]*nodepb.NodeDef
	dead   map[string]bool
}

func isSwitch(n *nodepb.NodeDef) bool { return n.Op == "Switch" || n.Op == "RefSwitch" }

func isMerge(n *nodepb.NodeDef) bool { return n.Op == "Merge" || n.Op == "RefMerge" }

// fold makes identities of a known Switch, and of a Merge with one input that is alive.
func (f *conditions) fold(n *nodepb.NodeDef) *nodepb.NodeDef {
	out := &nodepb.NodeDef{Op: n.Op, Name: n.Name, Attr: n.Attr, Device: n.Device}
	var data []string
	for _, in := range n.Input {
		ref := ParseRef(in)
		if from := f.byName[ref.Node]; from != nil && isSwitch(from) && f.known(from) {
			in = ref.Node // the identity has one output for both branches
		}
		out.Input = append(out.Input, in)
		if !strings.HasPrefix(in, "^") {
			data = append(data, in)
		}
	}
	switch {
	case isSwitch(n) && f.known(n):
		out.Op, out.Input, out.Attr = "Identity", data[:1], attrs{"T": n.Attr["T"]}
	case isMerge(n):
		var alive []string
		for i, in := range Inputs(n) {
			if !f.isDead(in) {
				alive = append(alive, data[i])
			}
		}
		if len(alive) == 1 {
			out.Op, out.Input, out.Attr = "Identity", alive, attrs{"T": n.Attr["T"]}
		}
	}
	return out
}

// known tells whether a Switch has a predicate that can be told now.
func (f *conditions) known(n *nodepb.NodeDef) bool {
	in := Inputs(n)
	if len(in) != 2 {
		return false
	}
	_, ok := f.value(in[1], 0)
	return ok
}

// value is the value of a boolean tensor.
func (f *conditions) value(r Ref, depth int) (value, ok bool) {
	n := f.byName[r.Node]
	if n == nil || depth > maxDepth {
		return false, false
	}
	switch n.Op {
	case "Const":
		return constBool(n)
	case "Identity", "PlaceholderWithDefault", "Switch", "StopGradient":
		return f.value(firstInput(n), depth+1)
	case "LogicalNot":
		value, ok = f.value(firstInput(n), depth+1)
		return !value, ok
	}
	return false, false
}

// isDead tells whether a tensor is never computed.
func (f *conditions) isDead(r Ref) bool {
	n := f.byName[r.Node]
	if n == nil {
		return false
	}
	if isSwitch(n) && f.known(n) {
		if chosen, _ := f.value(Inputs(n)[1], 0); chosen != (r.Index == 1) {
			return true
		}
	}
	return f.neverRuns(n)
}

func (f *conditions) neverRuns(n *nodepb.NodeDef) bool {
	if dead, seen := f.dead[n.Name]; seen {
		return dead
	}
	f.dead[n.Name] = false // of a loop, that is the answer
	deadInputs, inputs := 0, 0
	for _, in := range n.Input {
		control := strings.HasPrefix(in, "^")
		var dead bool
		if from := f.byName[strings.TrimPrefix(in, "^")]; control {
			dead = from != nil && f.neverRuns(from)
		} else {
			dead = f.isDead(ParseRef(in))
			inputs++
		}
		switch {
		case dead && (control || !isMerge(n)):
			f.dead[n.Name] = true
			return true
		case dead:
			deadInputs++
		}
	}
	f.dead[n.Name] = isMerge(n) && deadInputs == inputs
	return f.dead[n.Name]
}

// constBool reads a boolean constant.
func constBool(n *nodepb.NodeDef) (value, ok bool) {
	t := n.Attr["value"].GetTensor()
	switch {
	case t.GetDtype() != typespb.DataType_DT_BOOL:
		return false, false
	case len(t.BoolVal) == 1:
		return t.BoolVal[0], true
	case len(t.TensorContent) == 1:
		return t.TensorContent[0] != 0, true
	}
	return false, false
}

// chosen is the branch of an If of which the predicate, in the flat graph, is known; "" otherwise.
func (g *Graph) chosen(n *nodepb.NodeDef, predicate Ref) string {
	f := conditions{byName: g.byName}
	switch value, ok := f.value(predicate, 0); {
	case !ok:
		return ""
	case value:
		return n.Attr["then_branch"].GetFunc().GetName()
	default:
		return n.Attr["else_branch"].GetFunc().GetName()
	}
}
