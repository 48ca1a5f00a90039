package tfmodel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// Open loads the SavedModel in dir, the folder that holds saved_model.pb, and warms it up.
//
// Errors are *explaind.Error with the code FailedPrecondition, which name the node, file or setting that is not
// understood; Canceled or DeadlineExceeded if ctx ends first.
func Open(ctx context.Context, dir string, opts ...Option) (m *Model, err error) {
	// A file may be damaged in more ways than one can check, so a panic is the model's fault, and becomes an error.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, unsupported(fmt.Errorf("its graph is malformed: %v", p))
		}
	}()
	o := newOptions(opts)
	start := time.Now()
	defer beginLoad()()
	side, err := readSidecar(dir)
	if err != nil {
		return nil, err
	}
	digest, err := savedmodel.Digest(dir)
	if err != nil {
		return nil, err
	}
	path, cached, cleanup, err := prepare(ctx, dir, digest, side, o)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	if m, err = load(path, cached, o); err != nil {
		return nil, err
	}
	if err := dress(&m.program.Spec, dir, digest, side); err != nil {
		m.Close()
		return nil, err
	}
	o.random.mark(&m.program.Spec)
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

// prepare makes sure that the compiled model lies on disk, because tfgo imports graphs from files, and tells where. The
// compiled model comes along if it was made just now.
func prepare(ctx context.Context, dir, digest string, side sidecar, o options) (path string, c *compiled, cleanup func(), err error) {
	cleanup = func() {}
	cacheDir := o.cacheDir
	if cacheDir == "" || o.random != nil { // whoever opens the model for its answers must not find other weights
		if cacheDir, err = os.MkdirTemp("", "explaind-*"); err != nil {
			return "", nil, nil, fileError("CACHE_UNWRITABLE", "no temporary folder can be made for the compiled model", err)
		}
		cleanup = func() { os.RemoveAll(cacheDir) }
	}
	// The sidecar's choice of signature and output changes what is compiled.
	path = storePath(cacheDir, digest+sidecarKey(side))
	p, err := loadProgram(path)
	if err == nil {
		return path, &compiled{program: p}, cleanup, nil
	}
	o.log.Info("compiling", "dir", dir, "why", whyCompiled(err))
	if c, err = compile(ctx, dir, side, o.random); err != nil {
		cleanup()
		return "", nil, nil, err
	}
	if err := c.save(path); err != nil {
		cleanup()
		return "", nil, nil, fileError("CACHE_UNWRITABLE", "the compiled model cannot be written to the cache folder; give it space and rights", err)
	}
	c.graphs = nil
	return path, c, cleanup, nil
}

// whyCompiled tells why there was nothing to load: most often, nobody has opened the model before.
func whyCompiled(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "not in the cache"
	}
	return err.Error()
}

// fileError is an error of the system. The message does not tell where the server's files are.
func fileError(reason, message string, err error) error {
	e := explaind.Errorf(explaind.FailedPrecondition, reason, "%s: %s", message, withoutPath(err))
	e.Err = err
	return e
}

func sidecarKey(side sidecar) string {
	if side.Signature == "" && side.Output == "" {
		return ""
	}
	return fmt.Sprintf("-%x", side.Signature+"\x00"+side.Output)
}

// load makes the sessions of a stored model and assigns its resident weights.
func load(path string, c *compiled, o options) (*Model, error) {
	weights := c.weights
	if weights == nil {
		var err error
		if weights, err = loadWeights(path, c.program); err != nil {
			return nil, fileError("CACHE_UNREADABLE", "the compiled model in the cache folder cannot be read; remove it", err)
		}
	}
	e, err := newEngine(path, c.program, weights, o)
	if err != nil {
		return nil, unsupported(err)
	}
	return &Model{program: c.program, engine: e}, nil
}

// assign gives the resident weights to a session, the folded ones only to one that has none of them as constants. They
// share their memory with the tensors.
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
	_, err = s.run([]tf.Output{done}, feeds)
	return err
}
