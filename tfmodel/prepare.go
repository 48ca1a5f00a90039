package tfmodel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// prepare makes sure that the compiled model lies on disk, because tfgo imports graphs from files. Its weights come along if
// they were read just now. After cleanup, the files may be gone.
func prepare(ctx context.Context, dir, digest string, side sidecar, o options) (c *compiled, cleanup func(), err error) {
	cleanup = func() {}
	cacheDir := o.cacheDir
	if cacheDir == "" || o.random != nil { // whoever opens the model for its answers must not find other weights
		if cacheDir, err = os.MkdirTemp("", "explaind-*"); err != nil {
			return nil, nil, fileError("CACHE_UNWRITABLE", "no temporary folder can be made for the compiled model", err)
		}
		cleanup = func() { os.RemoveAll(cacheDir) }
	}
	defer func() {
		if c == nil { // an error, or a panic over the graph
			cleanup()
		}
	}()
	// The sidecar's choice of signature and output changes what is compiled.
	path := storePath(cacheDir, digest+sidecarKey(side))
	p, err := loadProgram(path)
	if err == nil {
		return &compiled{program: p, path: path, found: true}, cleanup, nil
	}
	o.log.Info("compiling", "dir", dir, "why", whyCompiled(err))
	if o.compiler != nil && o.random == nil {
		c, err = compileApart(ctx, dir, cacheDir, path, o)
	} else {
		c, err = compileHere(ctx, dir, path, side, o)
	}
	return c, cleanup, err
}

// compileApart has somebody else compile.
func compileApart(ctx context.Context, dir, cacheDir, path string, o options) (*compiled, error) {
	if err := o.compiler(ctx, dir, cacheDir); err != nil {
		return nil, err
	}
	p, err := loadProgram(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "MODEL_CHANGED",
			"the model's files changed while it was compiled; load it again once they are complete")
	}
	if err != nil {
		return nil, unreadableCache(err)
	}
	return &compiled{program: p, path: path}, nil
}

// compileHere compiles in this process.
func compileHere(ctx context.Context, dir, path string, side sidecar, o options) (*compiled, error) {
	size, err := savedmodel.Bytes(dir)
	if err != nil {
		return nil, err
	}
	if err := o.checkMemory("compiling", anyModel+compileFactor*size); err != nil {
		return nil, err
	}
	defer beginLoad()()
	c, err := compile(ctx, dir, side, o.random)
	if err != nil {
		return nil, err
	}
	if err := c.save(path); err != nil {
		c.free()
		return nil, fileError("CACHE_UNWRITABLE", "the compiled model cannot be written to the cache folder; give it space and rights", err)
	}
	c.graphs, c.path = nil, path
	return c, nil
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

func unreadableCache(err error) error {
	return fileError("CACHE_UNREADABLE", "the compiled model in the cache folder cannot be read; remove it", err)
}

func sidecarKey(side sidecar) string {
	if side.Signature == "" && side.Output == "" {
		return ""
	}
	return fmt.Sprintf("-%x", side.Signature+"\x00"+side.Output)
}
