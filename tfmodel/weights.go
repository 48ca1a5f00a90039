package tfmodel

import (
	"bytes"
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// readWeights loads the SavedModel once and reads all variables in one run: one run per variable would take minutes.
// The tensors share their memory with the loaded model, which is closed.
func readWeights(dir string, tags []string, def *graphpb.GraphDef, variables []graphdef.Variable) ([]*tf.Tensor, error) {
	if len(variables) == 0 {
		return nil, nil
	}
	if err := savedmodel.CheckVariables(dir); err != nil {
		return nil, err
	}
	loaded, err := loadSavedModel(dir, tags, sessionOptions(0, 0, false))
	if err != nil {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "VARIABLES_UNREADABLE",
			"TensorFlow cannot restore the model's variables; copy the whole folder of the SavedModel again: %w", err)
	}
	defer loaded.close()
	reads := readNodes(def)
	fetches := make([]tf.Output, len(variables))
	for i, v := range variables {
		read, ok := reads[v.Owner]
		if !ok {
			return nil, fmt.Errorf("variable %q is never read in the SavedModel", v.Owner)
		}
		if fetches[i], err = loaded.output(graphdef.Ref{Node: read}); err != nil {
			return nil, err
		}
	}
	return loaded.run(fetches, nil)
}

// readNodes maps every variable to a node outside of functions that yields its value.
func readNodes(def *graphpb.GraphDef) map[string]string {
	reads := map[string]string{}
	for _, n := range def.Node {
		switch n.Op {
		case "ReadVariableOp":
			reads[graphdef.Inputs(n)[0].Node] = n.Name
		case "VariableV2", "Variable":
			reads[n.Name] = n.Name
		}
	}
	return reads
}

// residentBytes is the size from which a dense kernel is kept out of the graph, see RATIONALE "Why do big dense kernels
// stay variables?".
const residentBytes = 1 << 20

// placeWeights puts the weights into the graph: as constants, which TensorFlow's optimiser can fold, or, for the big
// ones that it cannot, as variables, whose memory is shared with the tensors read. It returns the latter's positions.
func placeWeights(g *graphdef.Graph, variables []graphdef.Variable, values []*tf.Tensor) (*graphdef.Graph, []int, error) {
	consumers := g.Consumers()
	byName := map[string]int{}
	for i, v := range variables {
		byName[v.Name] = i
	}
	out := graphdef.NewGraph()
	var resident []int
	for _, n := range g.Nodes {
		i, isWeight := byName[n.Name]
		if !isWeight {
			out.Add(n)
			continue
		}
		v, value := variables[i], values[i]
		if byteSize(value) >= residentBytes && !graphdef.FeedsConvolution(consumers[n.Name]) {
			resident = append(resident, i)
			graphdef.AddResident(out, v)
			continue
		}
		var data bytes.Buffer
		data.Grow(byteSize(value))
		if _, err := value.WriteContentsTo(&data); err != nil {
			return nil, nil, fmt.Errorf("reading variable %q: %w", v.Owner, err)
		}
		out.Add(graphdef.Constant(v.Name, v.Type, value.Shape(), data.Bytes()))
	}
	graphdef.AddInit(out, variables, resident)
	return out, resident, nil
}
