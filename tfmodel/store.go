package tfmodel

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// A compiled model on disk is a folder of four files.
const (
	programFile   = "program.json"
	plainFile     = "plain.pb"
	optimisedFile = "optimised.pb"
	weightsFile   = "weights.bin"
)

// storePath is where the compiled form of a model lies.
func storePath(cacheDir, digest string) string {
	return filepath.Join(cacheDir, fmt.Sprintf("%s-v%s", digest, programVersion()))
}

// save writes a compiled model into a folder that appears at once and whole, whoever else writes it too.
func (c *compiled) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := c.write(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		if _, other := loadProgram(path); other == nil {
			return nil // somebody else wrote the same model meanwhile
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return os.Rename(temp, path)
	}
	return nil
}

func (c *compiled) write(dir string) error {
	meta, err := json.MarshalIndent(c.program, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, programFile), meta, 0o644); err != nil {
		return err
	}
	for file, graph := range c.graphs {
		if err := os.WriteFile(filepath.Join(dir, file), graph, 0o644); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(dir, weightsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, w := range c.weights {
		if _, err := w.WriteContentsTo(f); err != nil {
			return err
		}
	}
	return f.Close()
}

// loadProgram reads what a stored model is; an error means that it has to be compiled again.
func loadProgram(path string) (*program, error) {
	data, err := os.ReadFile(filepath.Join(path, programFile))
	if err != nil {
		return nil, err
	}
	p := new(program)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, err
	}
	if p.Version != programVersion() {
		return nil, fmt.Errorf("stored by version %s, this is %s", p.Version, programVersion())
	}
	want := int64(0)
	for _, w := range p.Resident {
		want += w.Bytes
	}
	info, err := os.Stat(filepath.Join(path, weightsFile))
	if err != nil {
		return nil, err
	}
	if info.Size() != want {
		return nil, fmt.Errorf("%s has %d bytes, expected %d", weightsFile, info.Size(), want)
	}
	return p, nil
}

// loadWeights reads the resident weights of a stored model.
func loadWeights(path string, p *program) ([]*tf.Tensor, error) {
	f, err := os.Open(filepath.Join(path, weightsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reader := bufio.NewReaderSize(f, 1<<20)
	weights := make([]*tf.Tensor, len(p.Resident))
	for i, w := range p.Resident {
		weights[i], err = tf.ReadTensor(tf.DataType(w.Variable.Type), w.Variable.Shape, io.LimitReader(reader, w.Bytes))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", weightsFile, err)
		}
	}
	return weights, nil
}
