package tfmodel

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind/tfmodel/graphdef"
)

// engine runs the static graph. It has two sessions over the same weights: TensorFlow optimises the graph anew for every
// set of fetches, which takes seconds at the first run and makes the later ones faster. So the sets that every request
// uses are warmed in the optimising session while the model loads, and all others run in the plain one, where a first
// run costs next to nothing. See RATIONALE "Why two sessions?".
type engine struct {
	plain     *session
	optimised *session

	mu   sync.RWMutex
	warm map[string]bool // sets of fetches that the optimised session has run
}

func newEngine(path string, p *program, weights []*tf.Tensor, o options) (*engine, error) {
	e := &engine{warm: map[string]bool{}}
	for _, s := range []struct {
		session  **session
		file     string
		optimise bool
	}{{&e.plain, plainFile, false}, {&e.optimised, optimisedFile, true}} {
		loaded, err := importGraph(filepath.Join(path, s.file), sessionOptions(o.intra, o.inter, s.optimise))
		if err != nil {
			return nil, fmt.Errorf("importing the compiled graph: %w", err)
		}
		if err := assign(loaded, p, weights, !s.optimise); err != nil {
			return nil, fmt.Errorf("assigning the weights: %w", err)
		}
		*s.session = loaded
	}
	return e, nil
}

// feeds are the tensors that a run starts from.
type feeds map[graphdef.Ref]*tf.Tensor

// run computes the fetches in the session that suits them.
func (e *engine) run(fetches []graphdef.Ref, in feeds) ([]*tf.Tensor, error) {
	e.mu.RLock()
	s := e.plain
	if e.warm[runKey(fetches, in)] {
		s = e.optimised
	}
	e.mu.RUnlock()
	return runIn(s, fetches, in)
}

// warmUp pays for the optimisation of a set of fetches, so that no request does.
func (e *engine) warmUp(fetches []graphdef.Ref, in feeds) error {
	if _, err := runIn(e.optimised, fetches, in); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.warm[runKey(fetches, in)] = true
	return nil
}

func runIn(s *session, fetches []graphdef.Ref, in feeds) ([]*tf.Tensor, error) {
	outputs := make([]tf.Output, len(fetches))
	var err error
	for i, ref := range fetches {
		if outputs[i], err = s.output(ref); err != nil {
			return nil, err
		}
	}
	fed := make(map[tf.Output]*tf.Tensor, len(in))
	for ref, t := range in {
		out, err := s.output(ref)
		if err != nil {
			return nil, err
		}
		fed[out] = t
	}
	return s.run(outputs, fed)
}

// runKey names a set of feeds and fetches.
func runKey(fetches []graphdef.Ref, in feeds) string {
	names := make([]string, 0, len(in))
	for ref := range in {
		names = append(names, ref.String())
	}
	sort.Strings(names)
	var key strings.Builder
	key.WriteString(strings.Join(names, ","))
	key.WriteByte('>')
	for _, ref := range fetches {
		key.WriteString(ref.String())
		key.WriteByte(',')
	}
	return key.String()
}

func (e *engine) close() {
	e.plain.close()
	e.optimised.close()
}
