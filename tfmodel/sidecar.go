package tfmodel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/explaind/explaind"
)

// SidecarName is the optional file beside saved_model.pb, or in the folder above it, that tells what the SavedModel
// does not.
const SidecarName = "explaind.yaml"

// sidecar is that file.
type sidecar struct {
	Input     inputSidecar `yaml:"input"`
	Labels    string       `yaml:"labels"`
	Layer     string       `yaml:"layer"`
	Output    string       `yaml:"output"`
	Signature string       `yaml:"signature"`

	dir string // where the file lies: labels are relative to it
}

type inputSidecar struct {
	Mode         explaind.Mode   `yaml:"mode"`
	Mean         numbers         `yaml:"mean"`
	Std          numbers         `yaml:"std"`
	Scale        float32         `yaml:"scale"`
	Channels     string          `yaml:"channels"`
	Resize       explaind.Resize `yaml:"resize"`
	Crop         explaind.Crop   `yaml:"crop"`
	CropFraction float64         `yaml:"crop_fraction"`
}

// numbers is one number or a list of them.
type numbers []float32

// UnmarshalYAML reads both forms.
func (n *numbers) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		var one float32
		if err := node.Decode(&one); err != nil {
			return err
		}
		*n = numbers{one}
		return nil
	}
	var many []float32
	err := node.Decode(&many)
	*n = many
	return err
}

// readSidecar reads explaind.yaml; without one, everything has its default.
func readSidecar(dir string) (sidecar, error) {
	for _, folder := range []string{dir, filepath.Dir(filepath.Clean(dir))} {
		f, err := os.Open(filepath.Join(folder, SidecarName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return sidecar{}, sidecarError(err)
		}
		defer f.Close()
		s := sidecar{dir: folder}
		decoder := yaml.NewDecoder(f)
		decoder.KnownFields(true)
		if err := decoder.Decode(&s); err != nil {
			return sidecar{}, sidecarError(err)
		}
		return s, s.check()
	}
	return sidecar{dir: dir}, nil
}

func sidecarError(err error) error {
	return explaind.Errorf(explaind.FailedPrecondition, "BAD_SIDECAR", "%s: %w", SidecarName, err)
}

// check wants words that are known.
func (s sidecar) check() error {
	in := s.Input
	words := []struct{ field, value, known string }{
		{"input.mode", string(in.Mode), "none unit tf caffe torch"},
		{"input.channels", in.Channels, "RGB BGR"},
		{"input.resize", string(in.Resize), "bilinear bicubic area"},
		{"input.crop", string(in.Crop), "none center"},
	}
	for _, w := range words {
		if w.value != "" && !containsWord(w.known, w.value) {
			return sidecarError(explaind.Errorf(explaind.FailedPrecondition, "BAD_SIDECAR", "%s is %q; it must be one of: %s", w.field, w.value, w.known))
		}
	}
	if in.Mode != "" && (len(in.Mean) > 0 || len(in.Std) > 0 || in.Scale != 0) {
		return sidecarError(explaind.Errorf(explaind.FailedPrecondition, "BAD_SIDECAR", "give either input.mode or input.mean, std and scale, not both"))
	}
	if in.CropFraction < 0 || in.CropFraction > 1 {
		return sidecarError(explaind.Errorf(explaind.FailedPrecondition, "BAD_SIDECAR", "input.crop_fraction is %v; it must be above 0 and at most 1", in.CropFraction))
	}
	return nil
}

func containsWord(words, word string) bool {
	for _, w := range strings.Fields(words) {
		if w == word {
			return true
		}
	}
	return false
}

// preprocessing is the sidecar's input section in the words of the root package.
func (s sidecar) preprocessing() explaind.Preprocessing {
	in := s.Input
	p := explaind.Preprocessing{
		Mode: in.Mode, Mean: in.Mean, Std: in.Std, Scale: in.Scale, BGR: in.Channels == "BGR",
		Resize: in.Resize, Crop: in.Crop, CropFraction: in.CropFraction,
	}
	if p.Mode == "" && len(p.Mean) == 0 && len(p.Std) == 0 && p.Scale == 0 {
		p.Mode = explaind.ModeNone
	}
	if p.Resize == "" {
		p.Resize = explaind.ResizeBilinear
	}
	if p.Crop == "" {
		p.Crop = explaind.CropNone
	}
	return p
}

// labels reads the labels: those the sidecar names, else assets/labels.txt, else the only assets/*labels*. One a line.
func (s sidecar) labels(dir string, classes int) ([]string, []string, error) {
	path := s.labelsFile(dir)
	if path == "" {
		return nil, nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, explaind.Errorf(explaind.FailedPrecondition, "BAD_LABELS", "the labels file %q cannot be read: %w", filepath.Base(path), err)
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	switch {
	case len(lines) == classes:
		return lines, nil, nil
	case classes == 1 && len(lines) == 2: // a binary head scores the second of its two classes
		return lines[1:], nil, nil
	default:
		return nil, []string{explaind.Errorf(explaind.FailedPrecondition, "BAD_LABELS",
			"the labels file %q has %d lines, but the model has %d classes: labels are left out", filepath.Base(path), len(lines), classes).Message}, nil
	}
}

func (s sidecar) labelsFile(dir string) string {
	if s.Labels != "" {
		if filepath.IsAbs(s.Labels) {
			return s.Labels
		}
		return filepath.Join(s.dir, s.Labels)
	}
	standard := filepath.Join(dir, "assets", "labels.txt")
	if _, err := os.Stat(standard); err == nil {
		return standard
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "assets", "*labels*")); len(found) == 1 {
		return found[0]
	}
	return ""
}
