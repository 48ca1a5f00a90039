package tfmodel

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/crc32"
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
	c.program.Checksums = map[string]uint32{}
	for name, graph := range c.graphs {
		if err := c.writeFile(dir, name, func(w io.Writer) error { _, err := w.Write(graph); return err }); err != nil {
			return err
		}
	}
	if err := c.writeFile(dir, weightsFile, c.writeWeights); err != nil {
		return err
	}
	meta, err := json.MarshalIndent(c.program, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, programFile), meta, 0o644)
}

func (c *compiled) writeWeights(w io.Writer) error {
	for _, t := range c.weights {
		if _, err := t.WriteContentsTo(w); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file and notes its checksum.
func (c *compiled) writeFile(dir, name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	if err := write(io.MultiWriter(f, sum)); err != nil {
		return err
	}
	c.program.Checksums[name] = sum.Sum32()
	return f.Close()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// loadProgram reads what a stored model is; an error means that it is not there, or damaged, and has to be compiled.
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
	if len(p.Layers) != len(p.Spec.Layers) {
		return nil, fmt.Errorf("%s has %d layers for %d", programFile, len(p.Layers), len(p.Spec.Layers))
	}
	for _, name := range []string{plainFile, optimisedFile, weightsFile} {
		sum, err := checksum(filepath.Join(path, name))
		if err != nil {
			return nil, err
		}
		if sum != p.Checksums[name] {
			return nil, fmt.Errorf("%s is damaged", name)
		}
	}
	return p, nil
}

func checksum(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	_, err = io.Copy(sum, f)
	return sum.Sum32(), err
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
