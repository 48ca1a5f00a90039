package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// halfRed is a picture whose left half is red: channel 0 of the fake model's feature map [8, 8] is 1 on the left and 0
// on the right, all else is 0, so that the maps below can be computed by hand. Z = 64 positions, 32 of them 1.
func halfRed(t *testing.T, dir string) string {
	return paint(t, filepath.Join(dir, "half.png"), red, black)
}

// The gradient of the logit of class c at channel 0 is w = 8·exp(−c²) − 2, divided by Z.
func TestExplainNumbers(t *testing.T) {
	r := newRig(t, "colours")
	file := halfRed(t, t.TempDir())
	for _, c := range []struct {
		name  string
		args  []string
		max   float64 // of the map before normalising; the rest is 0
		flags []string
	}{
		{"Grad-CAM", []string{"--method", "grad_cam"}, 6. / 64, nil},
		{"CAM", []string{"--method", "CAM"}, 6, nil},
		// α = 1/(2 + 32·6/64) = 1/5, the weight 64·α·6/64
		{"Grad-CAM++", []string{"--method", "Grad-CAM++"}, 1.2, nil},
		{"label", []string{"--class", "GREEN"}, (8/math.E - 2) / 64, nil},
		{"rank", []string{"--rank", "2"}, (8/math.E - 2) / 64, nil},
		{"versus", []string{"--class", "0", "--versus", "1"}, (8 - 8/math.E) / 64, nil},
		// P·(w − Σ P_j w_j) for the logits 3, 0.4715 and −0.9267
		{"probability", []string{"--score", "probability"}, 0.0072151, nil},
		{"against", []string{"--class", "blue"}, 0, []string{"flat", "all_non_positive"}},
		{"alias", []string{"--layer", "features"}, 6. / 64, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			args := append([]string{"explain", file, "--model", r.model("colours"), "--resolution", "layer", "--json", "--values", "--out", out}, c.args...)
			line := lines[explainLine](t, r.run(args...).want(t, statusGood))[0]
			if len(line.Explanations) != 1 {
				t.Fatalf("%d explanations", len(line.Explanations))
			}
			e := line.Explanations[0]
			if math.Abs(float64(e.RawMax)-c.max) > 1e-6 || e.RawMin != 0 || e.Height != 8 || e.Width != 8 || e.Layer != "block/features" {
				t.Errorf("got %+v, want a maximum of %v", e, c.max)
			}
			slices.Sort(e.Flags)
			slices.Sort(c.flags)
			if !slices.Equal(e.Flags, c.flags) {
				t.Errorf("flags %v, want %v", e.Flags, c.flags)
			}
			height, width, values := readNPY(t, e.Values)
			if height != 8 || width != 8 {
				t.Fatalf("%s holds %d×%d values", e.Values, height, width)
			}
			for i, v := range values {
				want := float32(0)
				if i%8 < 4 && c.max > 0 {
					want = 1
				}
				if v != want {
					t.Fatalf("value %d is %v, want %v", i, v, want)
				}
			}
		})
	}
}

func TestExplainWritesFiles(t *testing.T) {
	r := newRig(t, "colours")
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "new", "maps")
	halfRed(t, dir)
	paint(t, filepath.Join(dir, "other", "half.png"), green, blue)
	o := r.run("explain", filepath.Join(dir, "half.png"), filepath.Join(dir, "other"), "--model", r.model("colours"), "--out", out,
		"--method", "cam,grad_cam", "--top-k", "9", "--figure").want(t, statusGood)
	var names []string
	entries, err := os.ReadDir(out)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
		size := decode(t, filepath.Join(out, e.Name())).Bounds().Size()
		if isFigure := strings.HasSuffix(e.Name(), ".figure.png"); isFigure != (size != image.Pt(side, side)) {
			t.Errorf("%s has %v pixels", e.Name(), size)
		}
		if !strings.Contains(o.stdout, e.Name()) {
			t.Errorf("the output does not name %s:\n%s", e.Name(), o.stdout)
		}
	}
	var want []string
	for _, stem := range []string{"half", "half-2"} {
		for _, method := range []string{"cam", "grad_cam"} {
			for _, class := range []string{"0_red", "1_green", "2_blue"} {
				want = append(want, fmt.Sprintf("%s.block_features.%s.%s.png", stem, method, class))
			}
		}
		want = append(want, stem+".figure.png")
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("files\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

// The overlay is red where the map is 1 and the picture's colour mixed with the map's blue where it is 0.
func TestOverlayShowsTheMap(t *testing.T) {
	r := newRig(t, "colours")
	out := t.TempDir()
	line := lines[explainLine](t, r.run("explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--out", out, "--alpha", "1", "--json").want(t, statusGood))[0]
	m := decode(t, line.Explanations[0].Overlay)
	if r, _, b, _ := m.At(0, side/2).RGBA(); r < 0x7000 || b > 0x1000 {
		t.Errorf("the left side is %v, want jet's red", m.At(0, side/2))
	}
	if r, _, b, _ := m.At(side-1, side/2).RGBA(); b < 0x7000 || r > 0x1000 {
		t.Errorf("the right side is %v, want jet's blue", m.At(side-1, side/2))
	}
}

func TestExplainWithoutFiles(t *testing.T) {
	r := newRig(t, "colours")
	t.Chdir(t.TempDir())
	o := r.run("explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--out", "", "--method", "grad_cam_plus_plus").want(t, statusGood)
	if !regexp.MustCompile(`half\.png: red 0\.910, green 0\.073, blue 0\.018\n {3}grad_cam_plus_plus  block/features  red 0\.910\n$`).MatchString(o.stdout) {
		t.Errorf("got\n%s", o.stdout)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 0 {
		t.Errorf("files were written: %v %v", entries, err)
	}
}

func TestCompare(t *testing.T) {
	r := newRig(t, "colours")
	file, out := halfRed(t, t.TempDir()), filepath.Join(t.TempDir(), "new", "figure.png")
	o := r.run("compare", file, "--model", r.model("colours"), "--out", out).want(t, statusGood)
	for _, method := range []string{"cam", "grad_cam", "grad_cam_plus_plus"} {
		if !strings.Contains(o.stdout, " "+method+" ") {
			t.Errorf("the output lacks %s:\n%s", method, o.stdout)
		}
	}
	one := decode(t, out).Bounds().Size()
	if one.X < 2*one.Y { // the picture and three maps, side by side
		t.Errorf("the figure has %v pixels", one)
	}
	line := lines[explainLine](t, r.run("compare", file, "--model", r.model("colours"), "--out", out, "--top-k", "2", "--method", "grad_cam", "--json").want(t, statusGood))[0]
	if line.Figure != out || len(line.Explanations) != 2 || line.Explanations[1].Target.Label != "green" {
		t.Errorf("got %+v", line)
	}
	if two := decode(t, out).Bounds().Size(); two.X >= two.Y {
		t.Errorf("two rows of two panels have %v pixels", two)
	}
	corrupt := write(t, filepath.Join(t.TempDir(), "corrupt.png"), "corrupt")
	r.run("compare", corrupt, "--model", r.model("colours"), "--out", out).want(t, statusSomeFailed, corrupt+": ", "the image failed")
}

// The class that another is held against is named as the figures name it.
func TestVersusByLabel(t *testing.T) {
	r := newRig(t, "colours")
	out := t.TempDir()
	args := []string{"explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--out", out, "--class", "red", "--versus"}
	for _, versus := range []string{"Green", "1"} {
		o := r.run(append(args, versus)...).want(t, statusGood)
		if !strings.Contains(o.stdout, "red 0.910 versus green") || !strings.Contains(o.stdout, "half.block_features.grad_cam.0_red_vs_1_green.png") {
			t.Errorf("--versus %s: got\n%s", versus, o.stdout)
		}
		line := lines[explainLine](t, r.run(append(args, versus, "--json")...).want(t, statusGood))[0]
		if e := line.Explanations[0]; *e.Versus != 1 || e.VersusLabel != "green" || math.Abs(float64(e.RawMax)-(8-8/math.E)/64) > 1e-6 {
			t.Errorf("--versus %s: got %+v", versus, e)
		}
	}
	r.alter = func(s *explaind.Spec) { s.Labels = []string{"red", "crane", "Crane"} }
	r.run(append(args, "crane")...).want(t, statusNotStarted, "--versus: ", "classes [1 2]", "give the class index")
	r.alter = func(s *explaind.Spec) { s.Labels = nil }
	args[len(args)-2] = "0"
	if o := r.run(append(args, "2")...).want(t, statusGood); !strings.Contains(o.stdout, "versus class 2") {
		t.Errorf("got\n%s", o.stdout)
	}
}

// What is named twice, in whatever words, is explained once.
func TestRepeatedNames(t *testing.T) {
	r := newRig(t, "colours")
	line := lines[explainLine](t, r.run("explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--out", "", "--json",
		"--layer", "features,block/features", "--method", "cam,grad_cam,CAM", "--class", "0", "--class", "RED", "--class", "blue").want(t, statusGood))[0]
	var got []string
	for _, e := range line.Explanations {
		got = append(got, e.Method+" "+e.Target.Label)
	}
	if want := []string{"cam red", "grad_cam red", "cam blue", "grad_cam blue"}; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The article's forms are drawn only for those who ask for them.
func TestUsualMethods(t *testing.T) {
	cam, grad, plus, article := pb.Method_METHOD_CAM, pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_GRAD_CAM_PLUS_PLUS, pb.Method_METHOD_ARTICLE_CAM
	m := &pb.GetModelResponse{DefaultLayer: "last", Layers: []*pb.Layer{
		{Name: "conv", Methods: []pb.Method{grad, plus, article}},
		{Name: "last", Methods: []pb.Method{article, plus, cam, grad}},
		{Name: "frozen", Methods: []pb.Method{cam}},
	}}
	for _, c := range []struct {
		layers []string
		want   []pb.Method
	}{
		{nil, []pb.Method{cam, grad, plus}},
		{[]string{"conv"}, []pb.Method{grad, plus}},
		{[]string{"last", "conv"}, []pb.Method{grad, plus}},
		{[]string{"frozen", "last"}, []pb.Method{cam}},
	} {
		if got, err := usualMethods(c.layers, m); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v %v, want %v", c.layers, got, err, c.want)
		}
	}
	flat := &pb.GetModelResponse{InputMethods: []pb.Method{pb.Method_METHOD_SALIENCY, pb.Method_METHOD_RISE}}
	if got, err := usualMethods(nil, flat); err != nil || !slices.Equal(got, []pb.Method{pb.Method_METHOD_SALIENCY}) {
		t.Errorf("a model without layers: got %v %v", got, err)
	}
	if got, err := usualMethods([]string{"frozen", "conv"}, m); err == nil {
		t.Errorf("no method fits both layers, got %v", got)
	}
}

// readNPY reads version 1.0 by its specification: magic, version, little-endian length of the header, the header.
func readNPY(t *testing.T, path string) (height, width int, values []float32) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	if string(data[:8]) != "\x93NUMPY\x01\x00" {
		t.Fatalf("magic %q", data[:8])
	}
	begin := 10 + int(binary.LittleEndian.Uint16(data[8:]))
	header := string(data[10:begin])
	if begin%64 != 0 || !strings.HasSuffix(header, "\n") {
		t.Errorf("the data begins at %d, after %q", begin, header)
	}
	if _, err := fmt.Sscanf(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", &height, &width); err != nil {
		t.Fatalf("header %q: %v", header, err)
	}
	values = make([]float32, (len(data)-begin)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[begin+4*i:]))
	}
	if len(values) != height*width {
		t.Errorf("%d values for %d×%d", len(values), height, width)
	}
	return height, width, values
}
