package tfmodel

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
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
			return nil, errors.Join(fmt.Errorf("importing the compiled graph: %w", err), e.close())
		}
		*s.session = loaded
		if err := assign(loaded, p, weights, !s.optimise); err != nil {
			return nil, errors.Join(fmt.Errorf("assigning the weights: %w", err), e.close())
		}
	}
	return e, nil
}

// feeds are the tensors that a run starts from. Whoever makes them frees them.
type feeds map[graphdef.Ref]*tf.Tensor

func (f feeds) free() {
	for _, t := range f {
		free(t)
	}
}

// rows is how many images or activations are fed; 0 if nothing is.
func (f feeds) rows() int {
	for _, t := range f {
		return int(t.Shape()[0]) // as of each other one
	}
	return 0
}

// run computes the fetches in the session that suits them. Whoever calls it frees them.
func (e *engine) run(fetches []graphdef.Ref, in feeds) ([]*tf.Tensor, error) {
	e.mu.RLock()
	s := e.plain
	if e.warm[string(runKey(fetches, in))] {
		s = e.optimised
	}
	e.mu.RUnlock()
	return runIn(s, fetches, in)
}

// warmUp pays for the optimisation of a set of fetches, so that no request does.
func (e *engine) warmUp(fetches []graphdef.Ref, in feeds) error {
	results, err := runIn(e.optimised, fetches, in)
	if err != nil {
		return err
	}
	free(results...)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.warm[string(runKey(fetches, in))] = true
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
func runKey(fetches []graphdef.Ref, in feeds) []byte {
	fed := make([]graphdef.Ref, 0, 8)
	for ref := range in {
		fed = append(fed, ref)
	}
	slices.SortFunc(fed, func(a, b graphdef.Ref) int { return cmp.Or(cmp.Compare(a.Node, b.Node), a.Index-b.Index) })
	key := make([]byte, 0, 256)
	for _, list := range [][]graphdef.Ref{fed, fetches} {
		for _, ref := range list {
			key = append(append(key, ref.Node...), ':')
			key = append(strconv.AppendInt(key, int64(ref.Index), 10), ',')
		}
		key = append(key, '>')
	}
	return key
}

// close waits for the runs under way.
func (e *engine) close() error {
	var errs []error
	for _, s := range []*session{e.plain, e.optimised} {
		if s != nil { // of an engine that could not be made
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}
