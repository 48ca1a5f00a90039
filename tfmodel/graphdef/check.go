package graphdef

import (
	"fmt"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// Check finds those contradictions in a file over which TensorFlow ends the process instead of returning an error: calls
// that do not agree with their functions, operations with too few or too many inputs, and constants that are not of the
// type they claim. It looks at all of the file, since TensorFlow runs the functions for restoring too.
func Check(def *graphpb.GraphDef, ops Ops) error {
	functions := map[string]*functionpb.FunctionDef{}
	lists := [][]*nodepb.NodeDef{def.GetNode()}
	for _, f := range def.GetLibrary().GetFunction() {
		functions[f.GetSignature().GetName()] = f
		lists = append(lists, f.NodeDef)
	}
	for _, list := range lists {
		for _, n := range list {
			err := ops.checkInputs(n)
			switch {
			case err != nil:
			case n.Op == "PartitionedCall" || n.Op == "StatefulPartitionedCall":
				err = checkCall(n, functions)
			case n.Op == "Const":
				err = checkConst(n)
			}
			if err != nil {
				return fmt.Errorf("%w; export the model again", err)
			}
		}
	}
	return nil
}

// checkInputs counts the inputs of a node whose operation TensorFlow knows.
func (o Ops) checkInputs(n *nodepb.NodeDef) error {
	op := o[n.Op]
	if op == nil {
		return nil
	}
	want, got := 0, len(Inputs(n))
	for _, arg := range op.InputArg {
		size, err := argSize(op, arg, n)
		if err != nil {
			return err
		}
		want += size
	}
	if want != got {
		return fmt.Errorf("node %q (%s) has %d inputs, but the operation takes %d", n.Name, n.Op, got, want)
	}
	return nil
}

func checkCall(n *nodepb.NodeDef, functions map[string]*functionpb.FunctionDef) error {
	name := n.Attr["f"].GetFunc().GetName()
	f := functions[name]
	if f == nil {
		return fmt.Errorf("node %q calls the function %q, which the file does not hold", n.Name, name)
	}
	given, takes := len(n.Attr["Tin"].GetList().GetType()), len(f.GetSignature().GetInputArg())
	wanted, returns := len(n.Attr["Tout"].GetList().GetType()), len(f.GetSignature().GetOutputArg())
	if given != takes || wanted != returns {
		return fmt.Errorf("node %q calls the function %q with %d inputs for %d outputs, but that takes %d and returns %d", n.Name, name, given, wanted, takes, returns)
	}
	return nil
}

func checkConst(n *nodepb.NodeDef) error {
	if want, got := n.Attr["dtype"].GetType(), n.Attr["value"].GetTensor().GetDtype(); want != got {
		return fmt.Errorf("the constant %q says that it is %v, but holds %v", n.Name, want, got)
	}
	return nil
}
