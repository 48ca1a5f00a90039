package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/tfmodel"
)

// photos are a half red picture, and a red one, whose map is flat: times that map the picture is black.
func photos(t *testing.T) string {
	dir := t.TempDir()
	paint(t, filepath.Join(dir, "a.png"), red, black)
	paint(t, filepath.Join(dir, "b.png"), red, red)
	return dir
}

// readCSV reads a file as one record for each line.
func readCSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	must(t, err)
	var records []map[string]string
	for _, row := range rows[1:] {
		record := map[string]string{}
		for i, name := range rows[0] {
			record[name] = row[i]
		}
		records = append(records, record)
	}
	return records
}

func number64(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	must(t, err)
	return v
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-4*max(1, math.Abs(want))) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// The same numbers stand in the CSV, for each image, and in the table, averaged.
func TestEvaluateNumbers(t *testing.T) {
	r := newRig(t, "colours")
	out := t.TempDir()
	file := filepath.Join(out, "new", "scores.csv")
	args := []string{"evaluate", photos(t), "--model", r.model("colours"), "--method", "grad_cam,eigen_cam", "--csv", file}
	list := lines[evaluationLine](t, r.run(append(args, "--json")...).want(t, statusGood))

	// Of the half red picture as in TestFaithfulnessNumbers. Of the red one in row-major order, because its map is flat.
	drops := []float64{(redness(0.5) - redness(7.75/16)) / redness(0.5), (redness(1) - redness(0)) / redness(1)}
	deletions := []float64{
		curve(func(i int) float64 { return max(128-deleted(i), 0) / 256 }),
		curve(func(i int) float64 { return (256 - deleted(i)) / 256 }),
	}
	records := readCSV(t, file)
	if len(records) != 4 || len(list) != 2 {
		t.Fatalf("%d records and %d lines, want 4 and 2", len(records), len(list))
	}
	for i, record := range records {
		image, method := i/2, []string{"grad_cam", "eigen_cam"}[i%2]
		if filepath.Base(record["image"]) != []string{"a.png", "b.png"}[image] || record["method"] != method || record["layer"] != "block/features" ||
			record["class_index"] != "0" || record["label"] != "red" || record["increase"] != "0" || record["average_gain"] != "0" {
			t.Errorf("record %d is %v", i, record)
		}
		if want := []string{"", "flat"}[image]; record["flags"] != want {
			t.Errorf("record %d has the flags %q, want %q", i, record["flags"], want)
		}
		near(t, "probability", number64(t, record["probability"]), []float64{redness(0.5), redness(1)}[image])
		near(t, "drop", number64(t, record["average_drop"]), drops[image])
		near(t, "masked", number64(t, record["masked_probability"]), []float64{redness(7.75 / 16), redness(0)}[image])
		near(t, "deletion", number64(t, record["deletion_auc"]), deletions[image])
	}
	for _, line := range list {
		if line.Images != 2 || line.Layer != "block/features" || line.Flags["flat"] != 1 || len(line.Flags) != 1 || line.BeatsFirst != nil || line.HeadRandom != nil {
			t.Errorf("got %+v", line)
		}
		near(t, "average drop", float64(line.Drop), 100*(drops[0]+drops[1])/2)
		near(t, "deletion", float64(line.Deletion), (deletions[0]+deletions[1])/2)
		near(t, "win", float64(*line.Win), 0) // the maps are the same
	}

	text := r.run(args...).want(t, statusGood).stdout
	want := fmt.Sprintf(`colours, version 1; images: 2; the most probable class of each

METHOD     LAYER           IMAGES  DROP %%  INCREASE %%  GAIN %%  WIN %%  DELETION  INSERTION   ROAD  FLAGS
grad_cam   block/features       2   %.2f        0.00    0.00   0.00     %.3f      %.3f  %.3f  flat 1
eigen_cam  block/features       2   %.2f        0.00    0.00   0.00     %.3f      %.3f  %.3f  flat 1

low is good: DROP, DELETION; high is good: the others
`, list[0].Drop, list[0].Deletion, list[0].Insertion, list[0].ROAD, list[1].Drop, list[1].Deletion, list[1].Insertion, list[1].ROAD)
	if !strings.HasPrefix(text, want) || !strings.Contains(text, "0 in the model's units") || !strings.Contains(text, "blurred") || !strings.Contains(text, "noisy linear imputation") {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

// A class that is named is that of all images.
func TestEvaluateAClass(t *testing.T) {
	r := newRig(t, "colours")
	file := filepath.Join(t.TempDir(), "scores.csv")
	o := r.run("evaluate", photos(t), "--model", r.model("colours"), "--method", "cam,saliency", "--layer", "frozen,features", "--class", "green", "--csv", file)
	o.want(t, statusNotStarted, "--layer: cam cannot explain")
	o = r.run("evaluate", photos(t), "--model", r.model("colours"), "--method", "eigen_cam,saliency", "--layer", "frozen,features", "--class", "green", "--csv", file).want(t, statusGood)
	if !strings.Contains(o.stdout, "images: 2; class green\n") {
		t.Errorf("got\n%s", o.stdout)
	}
	var got []string
	for _, record := range readCSV(t, file) {
		got = append(got, record["label"]+" "+record["method"]+" "+record["layer"])
	}
	one := []string{"green eigen_cam frozen", "green saliency input", "green eigen_cam block/features"}
	if want := slices.Concat(one, one); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Images that fail are told of, cost the exit status, and leave the others their numbers.
func TestEvaluateGoesOnAfterFailures(t *testing.T) {
	r := newRig(t, "colours")
	dir := photos(t)
	bad := write(t, filepath.Join(dir, "aa.png"), "no picture at all")
	gone := filepath.Join(dir, "gone.png")
	file := filepath.Join(t.TempDir(), "scores.csv")
	o := r.run("evaluate", dir, gone, "--model", r.model("colours"), "--method", "grad_cam", "--csv", file).
		want(t, statusSomeFailed, bad+": ", gone+": there is no such file", "2 of 4 images failed")
	if !strings.Contains(o.stdout, "images: 2;") || strings.Contains(o.stdout, "WIN %") || len(readCSV(t, file)) != 2 {
		t.Errorf("got\n%s", o.stdout)
	}
	o = r.run("evaluate", bad, "--model", r.model("colours")).want(t, statusSomeFailed, "the image failed")
	if o.stdout != "" {
		t.Errorf("a table of nothing:\n%s", o.stdout)
	}
	o = r.run("evaluate", dir, "--model", r.model("colours"), "--method", "grad_cam", "--limit", "1", "--json").want(t, statusGood)
	if list := lines[evaluationLine](t, o); len(list) != 1 || list[0].Images != 1 || list[0].Win != nil {
		t.Errorf("got %+v", list)
	}
}

// Charts have the names of methods as people write them.
func TestNamesOfBars(t *testing.T) {
	e := &evaluation{rows: []*evaluationRow{{method: "grad_cam_plus_plus", layer: "conv"}, {method: "rise", layer: inputLayer}, {method: "999", layer: inputLayer}}}
	if got, want := e.bars(), []string{"Grad-CAM++ · conv", "RISE", "999"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Without --method, those of the figure are scored.
func TestEvaluateUsualMethods(t *testing.T) {
	r := newRig(t, "colours")
	plot := filepath.Join(t.TempDir(), "new", "scores.PNG")
	list := lines[evaluationLine](t, r.run("evaluate", photos(t), "--model", r.model("colours"), "--plot", plot, "--json").want(t, statusGood))
	var methods []string
	for _, line := range list {
		methods = append(methods, line.Method)
	}
	if !slices.Equal(methods, []string{"cam", "grad_cam", "grad_cam_plus_plus"}) || list[0].BeatsFirst != nil || list[1].BeatsFirst == nil {
		t.Errorf("got %+v", list)
	}
	if size := decode(t, plot).Bounds().Size(); size.X < 1000 || size.Y < 300 {
		t.Errorf("the chart has %v pixels", size)
	}
}

func TestEvaluateCannotStart(t *testing.T) {
	r := newRig(t, "colours")
	dir := photos(t)
	for _, c := range []struct {
		args []string
		text []string
	}{
		{nil, []string{"no image is given"}},
		{[]string{dir, "--limit", "-1"}, []string{"--limit must be at least 1"}},
		{[]string{dir, "--sanity", "--server", "127.0.0.1:1"}, []string{"--sanity opens the model with random weights, which a server does not do"}},
		{[]string{dir, "--plot", "scores.jpg"}, []string{"name that ends in .png"}},
		{[]string{dir, "--csv", dir}, []string{"--csv " + dir + " is a folder"}},
		{[]string{dir, "--csv", filepath.Join(dir, "a.png", "x.csv")}, []string{"--csv: the folder", "cannot be made: not a directory"}},
		{[]string{dir, "--csv", filepath.Join(dir, strings.Repeat("x", 300))}, []string{"--csv", "cannot be written: file name too long"}},
		{[]string{dir, "--plot", filepath.Join(dir, strings.Repeat("x", 300)+".png")}, []string{"--plot", "cannot be written: file name too long"}},
		{[]string{dir, "--method", "gradcamm"}, []string{"--method: "}},
		{[]string{dir, "--class", "gren"}, []string{"--class: ", "nearest: green"}},
		{[]string{filepath.Join(dir, "gone.png")}, []string{"there is no image to work on"}},
	} {
		args := append([]string{"evaluate"}, c.args...)
		if !slices.Contains(args, "--server") {
			args = append(args, "--model", r.model("colours"))
		}
		if o := r.run(args...).want(t, statusNotStarted, c.text...); o.stdout != "" {
			t.Errorf("%v: standard output is not empty:\n%s", c.args, o.stdout)
		}
	}
	// A chart that cannot be kept after all costs no numbers.
	full := filepath.Join(t.TempDir(), "full.png")
	must(t, os.Symlink("/dev/full", full))
	o := r.run("evaluate", dir, "--model", r.model("colours"), "--plot", full).want(t, statusSomeFailed, full+" cannot be written: no space left on device")
	if !strings.Contains(o.stdout, "images: 2;") {
		t.Errorf("got\n%s", o.stdout)
	}
}

// Files are touched when there is something to write, and not before.
func TestEvaluateLeavesFilesAlone(t *testing.T) {
	r := newRig(t, "colours")
	dir, out := photos(t), t.TempDir()
	old, chart := write(t, filepath.Join(out, "old.csv"), "kept"), write(t, filepath.Join(out, "old.png"), "kept")
	args := []string{"evaluate", dir, "--model", r.model("colours"), "--method", "grad_cam"}
	for _, csv := range []string{old, filepath.Join(out, "new.csv")} {
		for _, plot := range []string{chart, filepath.Join(out, "new.png")} {
			r.run(append(args, "--csv", csv, "--plot", plot, "--class", "2000")...).want(t, statusNotStarted, "--class: ")
		}
	}
	r.run(append(args, "--csv", chart, "--plot", chart)...).want(t, statusNotStarted, "are the same file")
	both := filepath.Join(out, "both.png")
	r.run(append(args, "--csv", both, "--plot", filepath.Join(out, "..", filepath.Base(out), "both.png"))...).want(t, statusNotStarted, "--csv "+both+" and --plot ", "are the same file")
	for _, path := range []string{old, chart} {
		if data, err := os.ReadFile(path); err != nil || string(data) != "kept" {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v", entries, err)
	}
	write(t, old, strings.Repeat("longer than what comes\n", 1000))
	r.run(append(args, "--csv", old)...).want(t, statusGood)
	if records := readCSV(t, old); len(records) != 2 {
		t.Errorf("%d records over an old file", len(records))
	}
}

// flatServer answers with a map whose faithfulness could not be measured.
type flatServer struct {
	pb.UnimplementedExplainServiceServer
	flags []pb.Flag
}

func (flatServer) GetModel(context.Context, *pb.GetModelRequest) (*pb.GetModelResponse, error) {
	return &pb.GetModelResponse{Model: &pb.ModelRef{Name: "odd", Version: 1}}, nil
}

func (s flatServer) ExplainStream(stream explainStream) error {
	stream.Send(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Started{Started: &pb.Started{}}})
	return stream.Send(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Result{Result: &pb.ItemResult{Response: &pb.ExplainResponse{
		Explanations: []*pb.Explanation{{Method: pb.Method_METHOD_GRAD_CAM, Target: &pb.ClassScore{Label: "kite"}, Flags: s.flags}}}}}})
}

// What could not be measured is no 0.
func TestEvaluateWithoutFaithfulness(t *testing.T) {
	picture := halfRed(t, t.TempDir())
	for _, c := range []struct {
		flags []pb.Flag
		text  string
	}{
		{[]pb.Flag{pb.Flag_FLAG_FLAT, pb.Flag_FLAG_NON_FINITE}, "the map of grad_cam cannot be measured: a probability of kite is NaN or infinite"},
		{nil, "did not measure how faithful the maps are"},
	} {
		r := newRig(t)
		file := filepath.Join(t.TempDir(), "scores.csv")
		o := r.run("evaluate", picture, "--server", serveOdd(t, flatServer{flags: c.flags}), "--method", "grad_cam", "--csv", file).
			want(t, statusSomeFailed, picture+": ", c.text, "the image failed")
		if _, err := os.Stat(file); o.stdout != "" || err == nil {
			t.Errorf("numbers of nothing, %v:\n%s", err, o.stdout)
		}
	}
}

// scored is one image of which only the drops are known.
func scored(drops ...float64) []mapScores {
	var scores []mapScores
	for i, d := range drops {
		scores = append(scores, mapScores{method: fmt.Sprint("m", i), faithfulness: faithfulnessJSON{AverageDrop: number(d), Increase: d == 0}})
	}
	return scores
}

// Of two methods it is the paper's: the share of images on which the other's drop is larger.
func TestWins(t *testing.T) {
	for _, c := range []struct {
		images      [][]mapScores
		wins, beats []float64
	}{
		{[][]mapScores{scored(.1, .2), scored(.3, .2), scored(.5, .50005), scored(0, .1)}, []float64{50, 25}, []float64{0, 25}},
		{[][]mapScores{scored(.1, .2, .3), scored(.3, .1, .2), scored(.3, .2, .2), scored(.5, .5, .1)}, []float64{25, 25, 25}, []float64{0, 50, 75}},
		{[][]mapScores{scored(.1)}, []float64{100}, []float64{0}},
	} {
		e := &evaluation{}
		for _, image := range c.images {
			e.add(image)
		}
		for i, row := range e.rows {
			near(t, "win", row.win.percent(), c.wins[i])
			near(t, "beats first", row.beatsFirst.percent(), c.beats[i])
		}
	}
}

// Red on the left and green on the right: the maps of neighbouring classes are each other's mirror image, so that
// Grad-CAM's is turned round by weights of another class, and Eigen-CAM's, in which no class enters, stays.
func TestSanity(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	paint(t, filepath.Join(dir, "a.png"), red, green)
	file := filepath.Join(dir, "scores.csv")
	args := []string{"evaluate", filepath.Join(dir, "a.png"), "--model", r.model("colours"), "--method", "grad_cam,eigen_cam", "--class", "red", "--sanity", "--seed", "7", "--csv", file}
	o := r.run(args...).want(t, statusGood)
	if !slices.Equal(r.opened, []tfmodel.RandomWeights{0, tfmodel.RandomHead, tfmodel.RandomAll}) || r.runtime.seed != 7 {
		t.Errorf("opened with %v, seed %d", r.opened, r.runtime.seed)
	}
	for _, line := range []string{
		"METHOD     LAYER           IMAGES    HEAD     ALL\n",
		"grad_cam   block/features       1  -1.000  -1.000\n",
		"eigen_cam  block/features       1   1.000   1.000  alike although the weights changed (1.00)\n",
		"\nalike: the mean over the images (1) is above 0.5;\n",
	} {
		if !strings.Contains(o.stdout, line) {
			t.Errorf("the table lacks %q:\n%s", line, o.stdout)
		}
	}
	for i, record := range readCSV(t, file) {
		for _, column := range csvSanityColumns {
			if want := []string{"-1", "1"}[i]; record[column] != want {
				t.Errorf("%s of record %d is %s, want %s", column, i, record[column], want)
			}
		}
	}
	list := lines[evaluationLine](t, r.run(append(args, "--json")...).want(t, statusGood))
	if list[0].HeadRandom == nil || *list[0].HeadRandom != -1 || *list[1].AllRandom != 1 {
		t.Errorf("got %+v", list)
	}
}

func TestSanityVerdict(t *testing.T) {
	of := func(head, all float64) *evaluationRow {
		row := &evaluationRow{}
		row.head.add(head)
		row.all.add(all)
		return row
	}
	for _, c := range []struct {
		head, all float64
		want      string
	}{{0.9, 0.548, "alike although the weights changed (0.55)"}, {0.9, 0.1, "alike although the head changed (0.90)"}, {0.5, 0.5, ""}, {-0.9, 0, ""}, {math.NaN(), math.NaN(), ""}} {
		if got := of(c.head, c.all).verdict(); got != c.want {
			t.Errorf("%v and %v: got %q, want %q", c.head, c.all, got, c.want)
		}
	}
}
