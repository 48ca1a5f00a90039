package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Options that change nothing are told of, one line for each, and cost nothing else.
func TestOptionsWithoutEffect(t *testing.T) {
	r := newRig(t, "colours")
	picture := halfRed(t, t.TempDir())
	for _, c := range []struct {
		args string
		want []string
	}{
		{"--method grad_cam --rise-masks 10", []string{"--rise-masks has no effect: rise is not among the methods"}},
		{"--occlusion-patch 4", []string{"--occlusion-patch has no effect: occlusion is not among the methods"}},
		{"--method saliency --noise-level 0.1 --noise-statistic square", []string{
			"--noise-level has no effect: none of smooth_grad, smooth_grad_cam_plus_plus is among the methods",
			"--noise-statistic has no effect: smooth_grad is not among the methods"}},
		{"--fusion mean", []string{"--fusion fuses nothing: there is one layer only; name several by --layer"}},
		{"--fusion mean --layer features,block/features", []string{"--fusion fuses nothing: there is one layer only; name several by --layer"}},
		{"--fusion max --layer frozen,features --method eigen_cam", nil},
		{"--method grad_cam,rise --rise-masks 10 --seed 1", nil},
		{"--method smooth_grad --noise-samples 2 --noise-statistic variance --seed 1 --aug-smooth", nil},
		{"--method grad_cam_plus_plus --grad-cam-plus-plus-form softmax --eigen-smooth", nil},
	} {
		for _, command := range [][]string{{"explain", "--out", ""}, {"compare", "--out", filepath.Join(t.TempDir(), "f.png")}, {"evaluate"}} {
			if command[0] == "compare" && !strings.Contains(c.args, "--method") && strings.Contains(c.args, "features,") {
				continue // the usual methods
			}
			args := slices.Concat(command, []string{picture, "--model", r.model("colours")}, strings.Fields(c.args))
			o := r.run(args...)
			want := ""
			for _, text := range c.want {
				want += "warning: " + text + "\n"
			}
			if o.status != statusGood || o.stderr != want {
				t.Errorf("%s %s: status %d, got\n%s\nwant\n%s", command[0], c.args, o.status, o.stderr, want)
			}
		}
	}
	// The seed is that of ROAD too, which is measured by evaluate and by --faithfulness.
	args := []string{picture, "--model", r.model("colours"), "--method", "grad_cam", "--seed", "3"}
	r.run(append([]string{"evaluate"}, args...)...).want(t, statusGood)
	r.run(append([]string{"explain", "--out", "", "--faithfulness"}, args...)...).want(t, statusGood)
	r.run(append([]string{"explain", "--out", ""}, args...)...).want(t, statusGood, "--seed has no effect: none of ")
}

// An option belongs to methods, or to all of them.
func TestEveryOptionHasUsers(t *testing.T) {
	var f optionFlags
	cmd := &cobra.Command{}
	f.register(cmd)
	var ofAll []string
	count := 0
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		count++
		if len(optionUsers[flag.Name]) == 0 {
			ofAll = append(ofAll, flag.Name)
		}
	})
	if want := []string{"aug-smooth", "eigen-smooth", "fusion"}; !slices.Equal(ofAll, want) || count != len(want)+len(optionUsers) {
		t.Errorf("options of all methods: %q, want %q; %d in all", ofAll, want, count)
	}
}

// The methods are known without a model.
func TestMethodsInTheHelp(t *testing.T) {
	r := newRig(t)
	for _, command := range []string{"explain", "compare", "evaluate"} {
		help := r.run(command, "--help").want(t, statusGood).stdout
		_, rest, _ := strings.Cut(help, "--method METHODS")
		if next := regexp.MustCompile(`\n +-`).FindStringIndex(rest); next != nil { // flag
			rest = rest[:next[0]]
		}
		words := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(" ,\n", r) })
		if got := words[len(words)-len(methodChoices()):]; !slices.Equal(got, methodChoices()) {
			t.Errorf("%s: the methods are %q", command, got)
		}
	}
	if got, want := inLines([]string{"ab", "cd", "efg", "h"}, 7), "ab, cd,\nefg, h"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A flag that is nearly one is answered by that one.
func TestUnknownFlags(t *testing.T) {
	r := newRig(t)
	for typed, want := range map[string]string{
		"--methods":     "unknown flag: --methods; did you mean --method? See 'explaind explain --help'",
		"--layers=x":    "unknown flag: --layers; did you mean --layer? See",
		"--topk":        "did you mean --top-k? See",
		"--rise":        "did you mean --rise-grid or --rise-keep or --rise-masks? See",
		"--nothing-you": "unknown flag: --nothing-you; see 'explaind explain --help'",
		"--x":           "unknown flag: --x; see",
		"-z":            "unknown shorthand flag: 'z' in -z; see",
	} {
		r.run("explain", "cat.png", typed).want(t, statusNotStarted, want)
	}
}
