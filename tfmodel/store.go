package tfmodel

import (
	"bufio"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// A compiled model on disk is a folder of four files.
const (
	programFile   = "program.json"
	plainFile     = "plain.pb"
	optimisedFile = "optimised.pb"
	weightsFile   = "weights.bin"
)

// newPrefix is how the names of folders begin that are not whole yet.
const newPrefix = ".new-"

// storePath is where the compiled form of a model lies.
func storePath(cacheDir, digest string) string {
	return filepath.Join(cacheDir, fmt.Sprintf("%s-v%s", digest, programVersion()))
}

// save writes a compiled model into a folder that appears at once and whole, whoever else writes it too.
func (c *compiled) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	clean(filepath.Dir(path))
	temp, err := os.MkdirTemp(filepath.Dir(path), newPrefix+"*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := c.write(temp); err != nil {
		return err
	}
	// A folder that is there already is somebody else's, who wrote the same model meanwhile, or damaged. A damaged one is
	// taken away in one step too, and whoever does the same at this moment may be faster.
	for range 10 {
		if err = os.Rename(temp, path); err == nil {
			return nil
		}
		if _, damaged := loadProgram(path); damaged == nil {
			return nil
		}
		old := temp + ".old"
		if os.Rename(path, old) == nil {
			defer os.RemoveAll(old)
		}
	}
	return err
}

// leftAfter is the age of a folder that somebody began to write and will not finish.
const leftAfter = time.Hour

// clean removes what was left by processes that were killed while they saved a model.
func clean(cacheDir string) {
	folders, err := filepath.Glob(filepath.Join(cacheDir, newPrefix+"*"))
	if err != nil { // a pattern that is none: nothing was left under such a name
		return
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && time.Since(info.ModTime()) > leftAfter {
			os.RemoveAll(folder)
		}
	}
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

// sizes are those of a stored model's files, in bytes.
type sizes struct{ plain, optimised, weights int64 }

func (s sizes) total() int64 { return s.plain + s.optimised + s.weights }

func sizesOf(path string) (s sizes, err error) {
	for name, size := range map[string]*int64{plainFile: &s.plain, optimisedFile: &s.optimised, weightsFile: &s.weights} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			return sizes{}, err
		}
		*size = info.Size()
	}
	return s, nil
}

// loadWeights reads the resident weights of a stored model.
func (c *compiled) loadWeights() error {
	f, err := os.Open(filepath.Join(c.path, weightsFile))
	if err != nil {
		return err
	}
	defer f.Close()
	reader := bufio.NewReaderSize(f, 1<<20)
	for _, w := range c.program.Resident {
		t, err := tf.ReadTensor(tf.DataType(w.Variable.Type), w.Variable.Shape, io.LimitReader(reader, w.Bytes))
		if err != nil {
			return fmt.Errorf("reading %s: %w", weightsFile, err)
		}
		count(t)
		c.weights = append(c.weights, t)
	}
	return nil
}
