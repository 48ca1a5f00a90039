package tfmodel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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
		data, err := os.ReadFile(filepath.Join(folder, SidecarName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return sidecar{}, sidecarError("it cannot be read: %s", withoutPath(err))
		}
		s := sidecar{dir: folder}
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		switch err := decoder.Decode(&s); {
		case errors.Is(err, io.EOF): // an empty file
		case err != nil:
			return sidecar{}, sidecarError("%s", plainly(err))
		}
		return s, s.check()
	}
	return sidecar{dir: dir}, nil
}

func sidecarError(format string, args ...any) error {
	e := explaind.Errorf(explaind.FailedPrecondition, "BAD_SIDECAR", format, args...)
	e.Message = SidecarName + ": " + e.Message
	return e
}

// withoutPath is what the system says about a file, without the place where the file lies.
func withoutPath(err error) string {
	if system := new(fs.PathError); errors.As(err, &system) {
		return system.Err.Error()
	}
	if system := new(os.LinkError); errors.As(err, &system) {
		return system.Err.Error()
	}
	return err.Error()
}

var unknownKey = regexp.MustCompile(`field (\S+) not found in type tfmodel\.(\w+)`)

// plainly says in the words of the file what the decoder says in those of Go.
func plainly(err error) string {
	message := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n ", "")
	message = strings.TrimPrefix(message, "unmarshal errors: ")
	return unknownKey.ReplaceAllStringFunc(message, func(s string) string {
		found := unknownKey.FindStringSubmatch(s)
		section := map[string]any{"sidecar": sidecar{}, "inputSidecar": inputSidecar{}}[found[2]]
		return fmt.Sprintf("there is no key %q; the keys here are %s", found[1], strings.Join(keys(section), ", "))
	})
}

// keys lists what may stand in a section.
func keys(section any) []string {
	var list []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(section)) {
		if key := field.Tag.Get("yaml"); key != "" {
			list = append(list, key)
		}
	}
	return list
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
			return sidecarError("%s is %q; it must be one of: %s", w.field, w.value, w.known)
		}
	}
	if in.Mode != "" && (len(in.Mean) > 0 || len(in.Std) > 0 || in.Scale != 0) {
		return sidecarError("give either input.mode or input.mean, std and scale, not both")
	}
	if !(in.CropFraction >= 0 && in.CropFraction <= 1) {
		return sidecarError("input.crop_fraction is %v; it must be above 0 and at most 1", in.CropFraction)
	}
	if !explaind.Finite(in.Scale) || slices.ContainsFunc(in.Mean, func(v float32) bool { return !explaind.Finite(v) }) {
		return sidecarError("input.mean is %v and input.scale is %v; they must be finite", in.Mean, in.Scale)
	}
	if slices.ContainsFunc(in.Std, func(v float32) bool { return !explaind.Finite(v) || v == 0 }) {
		return sidecarError("input.std is %v; it must be finite and not 0, because pixels are divided by it", in.Std)
	}
	return nil
}

// checkChannels wants one number for all channels or one for each.
func (s sidecar) checkChannels(channels int) error {
	if m := s.Input.Mode; channels == 1 && (m == explaind.ModeCaffe || m == explaind.ModeTorch) {
		return sidecarError("input.mode %s is made for three colours, and the model's images have one channel: give input.mean and input.std instead", m)
	}
	for field, values := range map[string]numbers{"input.mean": s.Input.Mean, "input.std": s.Input.Std} {
		if n := len(values); n > 1 && n != channels {
			return sidecarError("%s has %d numbers; the model's images have %d channels: give %d numbers, or one for all", field, n, channels, channels)
		}
	}
	return nil
}

func containsWord(words, word string) bool {
	return slices.Contains(strings.Fields(words), word)
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
	data, err := readLabels(path)
	if err != nil {
		return nil, nil, explaind.Errorf(explaind.FailedPrecondition, "BAD_LABELS", "the labels file %q cannot be read: %s; correct `labels:` in %s, or remove it", filepath.Base(path), withoutPath(err), SidecarName)
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

// mostLabelBytes bounds a labels file: a hundred bytes for each of a million classes.
const mostLabelBytes = 100 << 20

// readLabels reads a plain file of a sensible size: a pipe or a device would never end.
func readLabels(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a plain file")
	case info.Size() > mostLabelBytes:
		return nil, fmt.Errorf("it has %d bytes, and at most %d are read", info.Size(), mostLabelBytes)
	}
	return os.ReadFile(path)
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
