package tfmodel

import (
	"fmt"
	"reflect"
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	tfgo "github.com/galeone/tfgo"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// session is a loaded graph that runs. This file alone calls tfgo, which panics on every failure: here the panics become
// errors. A session may run many times at once.
type session struct {
	model *tfgo.Model

	mu      sync.RWMutex
	outputs map[graphdef.Ref]tf.Output // those that were looked for
}

// loadSavedModel loads a SavedModel as it is, with its variables.
func loadSavedModel(dir string, tags []string, options *tf.SessionOptions) (s *session, err error) {
	defer recovered(&err)
	return newSession(tfgo.LoadModel(dir, tags, options)), nil
}

// importGraph loads a graph from a file of a serialized GraphDef.
func importGraph(path string, options *tf.SessionOptions) (s *session, err error) {
	defer recovered(&err)
	return newSession(tfgo.ImportModel(path, "", options)), nil
}

func newSession(m *tfgo.Model) *session {
	return &session{model: m, outputs: map[graphdef.Ref]tf.Output{}}
}

// output finds a tensor of the graph.
func (s *session) output(ref graphdef.Ref) (out tf.Output, err error) {
	s.mu.RLock()
	out, known := s.outputs[ref]
	s.mu.RUnlock()
	if known {
		return out, nil
	}
	defer recovered(&err)
	out = s.model.Op(ref.Node, ref.Index)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outputs[ref] = out
	return out, nil
}

// run computes the fetches. Whoever calls it frees them.
func (s *session) run(fetches []tf.Output, feeds map[tf.Output]*tf.Tensor) (results []*tf.Tensor, err error) {
	defer recovered(&err)
	results = s.model.Exec(fetches, feeds)
	count(results...)
	return results, nil
}

// close gives the session and its graph up. tfgo leaves both to the collector and does not show them.
func (s *session) close() error {
	saved := (*tf.SavedModel)(reflect.ValueOf(s.model).Elem().FieldByName("saved").UnsafePointer())
	if err := saved.Session.Close(); err != nil {
		return fmt.Errorf("closing the session: %w", err)
	}
	freeGraph(saved.Graph)
	return nil
}

func recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = p
	default:
		*err = fmt.Errorf("%v", p)
	}
}
