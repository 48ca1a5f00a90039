package tfmodel

import (
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	tfgo "github.com/galeone/tfgo"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// session is a loaded graph that runs. This file alone calls tfgo, which panics on every failure: here the panics become
// errors. A session may run many times at once.
type session struct {
	model *tfgo.Model
}

// loadSavedModel loads a SavedModel as it is, with its variables.
func loadSavedModel(dir string, tags []string, options *tf.SessionOptions) (s *session, err error) {
	defer recovered(&err)
	return &session{tfgo.LoadModel(dir, tags, options)}, nil
}

// importGraph loads a graph from a file of a serialized GraphDef.
func importGraph(path string, options *tf.SessionOptions) (s *session, err error) {
	defer recovered(&err)
	return &session{tfgo.ImportModel(path, "", options)}, nil
}

// output finds a tensor of the graph.
func (s *session) output(ref graphdef.Ref) (out tf.Output, err error) {
	defer recovered(&err)
	return s.model.Op(ref.Node, ref.Index), nil
}

// run computes the fetches.
func (s *session) run(fetches []tf.Output, feeds map[tf.Output]*tf.Tensor) (results []*tf.Tensor, err error) {
	defer recovered(&err)
	return s.model.Exec(fetches, feeds), nil
}

// close gives the session up. tfgo closes it when the collector finds it; giveBackMemory makes it do so.
func (s *session) close() { s.model = nil }

func recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = p
	default:
		*err = fmt.Errorf("%v", p)
	}
}
