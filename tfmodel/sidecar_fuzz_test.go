package tfmodel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/explaind/explaind"
)

// FuzzSidecar reads any bytes as explaind.yaml and as a labels file. What is accepted has numbers that can be computed with,
// and a label for every class or none.
func FuzzSidecar(f *testing.F) {
	const labels = "ant\r\nbee\n cat\n"
	for _, text := range []string{
		"", "input: {mode: tf}\n", "labels: names.txt\nlayer: conv\noutput: y\nsignature: serve\n",
		"input:\n  mean: [1, 2, 3]\n  std: 128\n  scale: 0.5\n  channels: BGR\n  resize: bicubic\n  crop: center\n  crop_fraction: 0.875\n",
		"input: {mean: .nan}", "input: {std: [0]}", "input: {mode: unit, scale: 2}", "labels: /etc/hostname", "labels: ../..", "a: &a [*a]",
		"input: &x {mode: tf}\nlayer: *x", "- 1", "{", "\x00", "layer: !!binary AAAA", "input: {mean: [1e99]}",
	} {
		f.Add([]byte(text), []byte(labels), 3)
	}
	f.Fuzz(func(t *testing.T, text, labels []byte, classes int) {
		dir := filepath.Join(t.TempDir(), "1")
		for path, data := range map[string][]byte{SidecarName: text, "names.txt": labels, "assets/labels.txt": labels} {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := readSidecar(dir)
		if err == nil {
			err = s.checkChannels(3)
		}
		if err == nil {
			var names []string
			if names, _, err = s.labels(dir, classes); len(names) != 0 && len(names) != classes {
				t.Fatalf("%d labels of %d classes", len(names), classes)
			}
			p := s.preprocessing()
			for _, v := range append(append([]float32{p.Scale}, p.Mean...), p.Std...) {
				if !explaind.Finite(v) {
					t.Fatalf("preprocessing %+v", p)
				}
			}
		}
		if e := explaind.AsError(err); err != nil && (e.Code != explaind.FailedPrecondition || e.Reason == "" || e.Message == "") {
			t.Fatalf("the error is %v", err)
		}
	})
}
