package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A method that looks at no layer is printed and written once for each class, and without the layer.
func TestMethodsOfTheInput(t *testing.T) {
	r := newRig(t, "colours")
	file, out := halfRed(t, t.TempDir()), t.TempDir()
	args := []string{"explain", file, "--model", r.model("colours"), "--layer", "frozen,features", "--method", "eigen_cam,saliency", "--top-k", "2", "--out", out}
	line := lines[explainLine](t, r.run(append(args, "--json")...).want(t, statusGood))[0]
	var got []string
	for _, e := range line.Explanations {
		got = append(got, fmt.Sprintf("%s %s %s %s", e.Layer, e.Target.Label, e.Method, filepath.Base(e.Overlay)))
	}
	want := []string{
		"frozen red eigen_cam half.frozen.eigen_cam.0_red.png",
		"input red saliency half.saliency.0_red.png",
		"frozen green eigen_cam half.frozen.eigen_cam.1_green.png",
		"input green saliency half.saliency.1_green.png",
		"block/features red eigen_cam half.block_features.eigen_cam.0_red.png",
		"block/features green eigen_cam half.block_features.eigen_cam.1_green.png",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if files, err := os.ReadDir(out); err != nil || len(files) != len(want) {
		t.Errorf("files %v, %v", files, err)
	}
	text := r.run(args...).want(t, statusGood).stdout
	if strings.Count(text, "saliency") != 2*2 || strings.Count(text, "  input ") != 2 { // name and file
		t.Errorf("got\n%s", text)
	}
}

// One class that is asked for by its rank and by its name is explained once, with one file.
func TestOneClassTwice(t *testing.T) {
	r := newRig(t, "colours")
	for _, ranks := range [][]string{{"--rank", "1,2"}, {"--top-k", "2"}} {
		out := t.TempDir()
		args := append([]string{"explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--method", "saliency,grad_cam", "--class", "red", "--out", out, "--json"}, ranks...)
		var got []string
		for _, e := range lines[explainLine](t, r.run(args...).want(t, statusGood))[0].Explanations {
			got = append(got, filepath.Base(e.Overlay))
		}
		want := []string{"half.saliency.0_red.png", "half.block_features.grad_cam.0_red.png", "half.saliency.1_green.png", "half.block_features.grad_cam.1_green.png"}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %q, want %q", ranks, got, want)
		}
		if files, err := os.ReadDir(out); err != nil || len(files) != len(want) {
			t.Errorf("%v: files %v, %v", ranks, files, err)
		}
	}
}

func TestFusionHasOneFile(t *testing.T) {
	r := newRig(t, "colours")
	out := t.TempDir()
	o := r.run("explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--layer", "frozen,features", "--method", "eigen_cam,saliency", "--fusion", "max", "--out", out, "--json").want(t, statusGood)
	line := lines[explainLine](t, o)[0]
	if len(line.Explanations) != 2 || line.Explanations[0].Layer != "frozen+block/features" || line.Explanations[1].Layer != "input" {
		t.Fatalf("got %+v", line.Explanations)
	}
	for i, name := range []string{"half.frozen+block_features.eigen_cam.0_red.png", "half.saliency.0_red.png"} {
		if got := filepath.Base(line.Explanations[i].Overlay); got != name {
			t.Errorf("file %s, want %s", got, name)
		}
		decode(t, filepath.Join(out, name))
	}
}

// Names of files stay below the 255 bytes of common file systems, whatever they are made of.
func TestLongNamesOfFiles(t *testing.T) {
	layers := strings.Repeat("block12_expand_relu+", 30)
	e := &explanationJSON{Method: "guided_grad_cam_plus_plus", Layer: layers, Target: scoreJSON{ClassIndex: 282, Label: "tiger cat"}}
	base := filepath.Base(files{"out", "cat"}.base(e))
	if want := "cat.block12_expand_relu+block12_exp--xpand_relu+block12_expand_relu+.guided_grad_cam_plus_plus.282_tiger_cat"; base != want {
		t.Errorf("got %s, want %s", base, want)
	}
	e.Target.Label = strings.Repeat("größe ", 60)
	base = filepath.Base(files{"out", strings.Repeat("ä", 120)}.base(e))
	if len(base) > mostNameBytes || !utf8.ValidString(base) || !strings.HasPrefix(base, "ää") || !strings.HasSuffix(base, "größe_") {
		t.Errorf("%d bytes: %s", len(base), base)
	}
	write(t, filepath.Join(t.TempDir(), base+"-999.png"), "")
	if got := withoutMiddle("abcdefgh", 8); got != "abcdefgh" {
		t.Errorf("a name that fits became %s", got)
	}
}

// The fake model's logit is linear: the score rises from 0, of a black picture, to 6·½, and the gap is rounding.
func TestCompletenessInJSON(t *testing.T) {
	r := newRig(t, "colours")
	o := r.run("explain", halfRed(t, t.TempDir()), "--model", r.model("colours"), "--method", "integrated_gradients,grad_cam", "--integrated-gradients-steps", "4", "--out", "", "--json").want(t, statusGood)
	path, cam := lines[explainLine](t, o)[0].Explanations[0], lines[explainLine](t, o)[0].Explanations[1]
	if path.ScoreChange == nil || math.Abs(float64(*path.ScoreChange)-3) > 1e-5 || path.CompletenessGap == nil || math.Abs(float64(*path.CompletenessGap)) > 1e-5 {
		t.Errorf("got %+v", path)
	}
	if cam.ScoreChange != nil || cam.CompletenessGap != nil || cam.Faithfulness != nil {
		t.Errorf("Grad-CAM has a score change, or was measured: %+v", cam)
	}
}
