package tfmodel

import (
	"context"
	"fmt"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// Open loads the SavedModel in dir, the folder that holds saved_model.pb, and warms it up.
//
// Errors are *explaind.Error with the code FailedPrecondition, which name the node, file or setting that is not
// understood; Canceled or DeadlineExceeded if ctx ends first.
func Open(ctx context.Context, dir string, opts ...Option) (m *Model, err error) {
	o := newOptions(opts)
	if !o.gentle {
		return open(ctx, dir, o)
	}
	if err := startPools(o); err != nil {
		return nil, internal(err)
	}
	gently(func() { m, err = open(ctx, dir, o) })
	return m, err
}

// Compilation is what Compile did.
type Compilation struct {
	Digest   string // of the SavedModel
	Found    bool   // whether the compiled model was in the cache already
	Bytes    int64  // of the compiled model
	Layers   int    // that can be explained
	Warnings []string
}

// Compile makes sure that the SavedModel in dir lies compiled in the folder of WithCacheDir, and that it loads and runs.
// Without that option, it only tells whether it does. Errors are as Open's.
func Compile(ctx context.Context, dir string, opts ...Option) (*Compilation, error) {
	m, err := Open(ctx, dir, opts...)
	if err != nil {
		return nil, err
	}
	spec := m.Spec()
	return &Compilation{spec.Digest, m.stored.found, m.stored.bytes, len(spec.Layers), spec.Warnings}, m.Close()
}

func open(ctx context.Context, dir string, o options) (m *Model, err error) {
	// A file may be damaged in more ways than one can check, so a panic is the model's fault, and becomes an error.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, unsupported(fmt.Errorf("its graph is malformed: %v", p))
		}
	}()
	start := time.Now()
	side, err := readSidecar(dir)
	if err != nil {
		return nil, err
	}
	digest, err := savedmodel.Digest(dir)
	if err != nil {
		return nil, err
	}
	c, cleanup, err := prepare(ctx, dir, digest, side, o)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	defer c.free()
	size, err := sizesOf(c.path)
	if err != nil {
		return nil, unreadableCache(err)
	}
	if err := o.checkMemory("loading", size.memory()); err != nil {
		return nil, err
	}
	defer beginLoad()()
	if m, err = load(c, o); err != nil {
		return nil, err
	}
	m.stored = stored{bytes: size.total(), found: c.found}
	if err := dress(&m.program.Spec, dir, digest, side); err != nil {
		m.Close()
		return nil, err
	}
	o.random.mark(&m.program.Spec)
	m.predict = m.forwardFetches(m.defaultLayers())
	loaded := time.Now()
	if err := m.warmUp(ctx); err != nil {
		m.Close()
		return nil, err
	}
	giveBackMemory()
	o.log.Info("model loaded", "dir", dir, "digest", digest[:12], "load", loaded.Sub(start).Round(time.Millisecond),
		"warmup", time.Since(loaded).Round(time.Millisecond), "layers", len(m.program.Spec.Layers))
	return m, nil
}

// load makes the sessions of a stored model and assigns its resident weights.
func load(c *compiled, o options) (*Model, error) {
	if c.weights == nil {
		if err := c.loadWeights(); err != nil {
			return nil, unreadableCache(err)
		}
	}
	e, err := newEngine(c.path, c.program, c.weights, o)
	if err != nil {
		return nil, unsupported(err)
	}
	return &Model{program: c.program, engine: e, gradients: newGradientSet(c.program)}, nil
}

// assign gives the resident weights to a session, the folded ones only to one that has none of them as constants. They
// share their memory with the tensors, which may be freed then.
func assign(s *session, p *program, weights []*tf.Tensor, folded bool) error {
	feeds := make(map[tf.Output]*tf.Tensor, len(weights))
	for i, w := range p.Resident {
		if w.Folded && !folded {
			continue
		}
		feed, err := s.output(w.Variable.Feed())
		if err != nil {
			return err
		}
		feeds[feed] = weights[i]
	}
	if len(feeds) == 0 {
		return nil
	}
	done, err := s.output(graphdef.Ref{Node: graphdef.InitNode})
	if err != nil {
		return err
	}
	results, err := s.run([]tf.Output{done}, feeds)
	free(results...)
	return err
}
