package tfmodel

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// readWeights loads the SavedModel once and reads all variables in one run: one run per variable would take minutes.
// The tensors share their memory with the loaded model, which is closed. Whoever calls it frees them.
func readWeights(dir string, tags []string, meta *corepb.MetaGraphDef, variables []graphdef.Variable) (values []*tf.Tensor, err error) {
	if len(variables) == 0 {
		return nil, nil
	}
	if err := savedmodel.CheckVariables(dir); err != nil {
		return nil, err
	}
	loaded, err := loadSavedModel(dir, tags, sessionOptions(0, 0, false))
	if err != nil {
		return nil, unreadable(dir, err)
	}
	defer func() { // Keras exports hold every weight twice: this gives one half back
		err = errors.Join(err, loaded.close())
		giveBackMemory()
	}()
	nodes := graphdef.ValueNodes(meta.GraphDef, graphdef.ParseRef(meta.GetSaverDef().GetRestoreOpName()).Node)
	fetches := make([]tf.Output, len(variables))
	for i, v := range variables {
		node, ok := nodes[v.Owner]
		if !ok {
			return nil, unsupported(fmt.Errorf("no node of the SavedModel reads the variable %q", v.Owner))
		}
		if fetches[i], err = loaded.output(graphdef.Ref{Node: node}); err != nil {
			return nil, unsupported(err)
		}
	}
	values, err = loaded.run(fetches, nil)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	for i, v := range variables {
		if got := values[i].Shape(); !fitsShape(got, v.Shape) {
			free(values...)
			return nil, unreadable(dir, fmt.Errorf("%q has the shape %v, the graph wants %v", v.Owner, got, v.Shape))
		}
	}
	return values, nil
}

func fitsShape(got, want []int64) bool {
	return slices.EqualFunc(got, want, func(g, w int64) bool { return w == -1 || g == w })
}

// unreadable is the error of weights that TensorFlow does not restore. TensorFlow tells where the files are; the message
// does not.
func unreadable(dir string, err error) error {
	e := explaind.Errorf(explaind.FailedPrecondition, "VARIABLES_UNREADABLE",
		"TensorFlow cannot restore the model's variables: %s; copy the whole folder of the SavedModel again, or export it again",
		oneLine(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")))
	e.Err = err
	return e
}

// A layout says which weights a graph holds as constants, which TensorFlow's optimiser can fold and oneDNN can reorder
// once, and which stay variables, whose memory all sessions share. See RATIONALE "Why do some weights stay variables?".
type layout func(bytes int, consumers []*nodepb.NodeDef) (resident bool)

// plainLayout keeps constants only where a variable would cost more than it holds.
func plainLayout(bytes int, _ []*nodepb.NodeDef) bool { return bytes >= 16<<10 }

// optimisedLayout makes constants of all that the optimiser can fold; that leaves the kernels of big dense layers.
func optimisedLayout(bytes int, consumers []*nodepb.NodeDef) bool {
	return bytes >= 1<<20 && !graphdef.FeedsConvolution(consumers)
}

// placeWeights puts the weights into the graph and returns the positions of those that are resident.
func placeWeights(g *graphdef.Graph, variables []graphdef.Variable, values []*tf.Tensor, isResident layout) (*graphdef.Graph, []int, error) {
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
		if isResident(byteSize(value), consumers[n.Name]) {
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
