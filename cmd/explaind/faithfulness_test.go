package main

import (
	"math"
	"regexp"
	"testing"
)

// redness is the fake model's probability of red for a picture that is black but for its mean red.
func redness(mean float64) float64 {
	sum := 0.0
	for c := range 3 {
		sum += math.Exp(weightOfRed(c) * mean)
	}
	return math.Exp(weightOfRed(0)*mean) / sum
}

func weightOfRed(class int) float64 { return 8*math.Exp(-float64(class*class)) - 2 }

// curve is the area below redness of 21 means.
func curve(mean func(step int) float64) float64 {
	area := (redness(mean(0)) + redness(mean(20))) / 2
	for i := 1; i < 20; i++ {
		area += redness(mean(i))
	}
	return area / 20
}

// deleted is how many of 256 pixels are gone after a step.
func deleted(step int) float64 { return math.Round(float64(step) * 256 / 20) }

// The map of the half red picture is 1 on the left and 0 on the right at the layer, and grows to 1 in columns 0 to 6 and
// ¾ in column 7 where the picture is red. So the masked picture has a mean red of 7.75/16, and all 128 red pixels are
// deleted before any black one.
func TestFaithfulnessNumbers(t *testing.T) {
	r := newRig(t, "colours")
	file := halfRed(t, t.TempDir())
	args := []string{"explain", file, "--model", r.model("colours"), "--method", "grad_cam", "--faithfulness", "--out", ""}
	y, o := redness(0.5), redness(7.75/16)
	f := lines[explainLine](t, r.run(append(args, "--json")...).want(t, statusGood))[0].Explanations[0].Faithfulness
	if f == nil {
		t.Fatal("nothing was measured")
	}
	for what, c := range map[string]struct {
		got  number
		want float64
	}{
		"drop":     {f.AverageDrop, (y - o) / y},
		"gain":     {f.AverageGain, 0},
		"masked":   {f.MaskedProbability, o},
		"deletion": {f.DeletionAUC, curve(func(i int) float64 { return max(128-deleted(i), 0) / 256 })},
	} {
		if math.Abs(float64(c.got)-c.want) > 1e-5 {
			t.Errorf("%s is %v, want %v", what, c.got, c.want)
		}
	}
	if f.Increase || f.InsertionAUC < 0.8 || f.InsertionAUC > 1 || f.ROAD < 0.1 {
		t.Errorf("got %+v", f)
	}
	text := r.run(args...).want(t, statusGood).stdout
	if !regexp.MustCompile(`\n {3}grad_cam  block/features  red 0\.910\n {5}drop 0\.8 %, no increase, gain 0\.0 %, deletion 0\.\d{3}, insertion 0\.\d{3}, ROAD 0\.\d{3}\n$`).MatchString(text) {
		t.Errorf("got\n%s", text)
	}
}
