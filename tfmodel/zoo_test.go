package tfmodel_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/internal/zoo"
	"github.com/explaind/explaind/render"
	"github.com/explaind/explaind/tfmodel"
)

// zooModels are the models of internal/zoo/make_models.py.
var zooModels = []string{
	"vgg16", "resnet50", "mobilenetv2", "efficientnetb0", "densenet121", "inceptionv3", "convnexttiny",
	"nested", "subclassed", "sigmoid", "linear", "two_outputs", "fixed_batch", "free_size", "uint8_input", "saved",
	"keras2", "keras2_export", "module", "tf1", "tf1_training",
	"vgg_like", "gap_like",
}

// Bounds of what may differ from TensorFlow's own numbers.
const (
	mostProbabilityError = 1e-5
	mostMapError         = 1e-4    // of the map's range
	leastCosine          = 0.99999 // between maps
	mostPictureError     = 1e-3    // of the article's maps, whose maximum is 1
)

const inputSuffix = "_input" // of the article's maps in a reference

// TestZoo opens every model without any configuration, and compares predictions and maps with TensorFlow's.
func TestZoo(t *testing.T) {
	for _, name := range zooModels {
		t.Run(name, func(t *testing.T) {
			reference := zoo.Load(t, name)
			forgetPeakMemory()
			started := time.Now()
			model, err := tfmodel.Open(context.Background(), zoo.Folder(t, name))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := model.Close(); err != nil {
					t.Error(err)
				}
			}()
			opened, peak := time.Since(started).Round(10*time.Millisecond), peakMemory(t)
			s := &subject{model: model, reference: reference}
			t.Run("layers", s.testLayers)
			t.Run("predict", s.testPredict)
			t.Run("maps", s.testMaps)
			t.Run("layers at once", s.testLayersAtOnce)
			t.Run("targets", s.testTargets)
			t.Run("versus", s.testVersus)
			t.Run("slope of the input", s.testSlope)
			t.Run("targets at the input", s.testInputTargets)
			t.Run("resume", s.testResume)
			t.Logf("opened in %v, with %d MB at the peak; the worst error of a probability is %.1g, that of a map %.1g of its range",
				opened, peak>>20, s.worstProbability, s.worstMap)
		})
	}
}

type subject struct {
	model     *tfmodel.Model
	reference *zoo.Reference

	worstProbability, worstMap float64
}

func (s *subject) testLayers(t *testing.T) {
	spec := s.model.Spec()
	if spec.DefaultLayer != s.reference.DefaultLayer {
		t.Errorf("default layer %q, want %q", spec.DefaultLayer, s.reference.DefaultLayer)
	}
	for _, c := range s.reference.Cases {
		layer, err := spec.FindLayer(c.Layer)
		if err != nil {
			t.Errorf("%v; the model has %v", err, layerNames(spec))
			continue
		}
		if layer.Name != c.Layer {
			t.Errorf("layer %q is called %q", c.Layer, layer.Name)
		}
	}
}

func layerNames(spec *explaind.Spec) []string {
	names := make([]string, len(spec.Layers))
	for i, l := range spec.Layers {
		names[i] = l.Name
	}
	return names
}

// testPredict runs all images at once and each one alone.
func (s *subject) testPredict(t *testing.T) {
	r := s.reference
	check := func(what string, images, wantProbabilities, wantLogits *explaind.Tensor) {
		got, err := s.model.Predict(context.Background(), images)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		s.checkProbabilities(t, what, got.Probabilities, wantProbabilities)
		if worst, scale := mostDifference(got.Logits, wantLogits), extent(wantLogits.Data); worst > mostMapError*scale {
			t.Errorf("%s: logits are off by %.2g of %.2g", what, worst, scale)
		}
	}
	check("all rows", r.Images, r.Probabilities, r.Logits)
	for i := range r.Images.Rows() {
		check("one row", r.Images.Slice(i, i+1), r.Probabilities.Slice(i, i+1), r.Logits.Slice(i, i+1))
	}
}

// testMaps asks for one layer at a time, as most requests do, with a class of its own for every row.
func (s *subject) testMaps(t *testing.T) {
	for i := range s.reference.Cases {
		c := &s.reference.Cases[i]
		for row, e := range s.explain(t, []string{c.Layer}, s.targetsOf(c), c.Score, needs(t, c)) {
			s.checkMaps(t, c, row, &e)
		}
	}
}

// testLayersAtOnce asks for all layers in one request.
func (s *subject) testLayersAtOnce(t *testing.T) {
	var layers []string
	var cases []*zoo.Case
	for i := range s.reference.Cases {
		if c := &s.reference.Cases[i]; c.Score == explaind.ScoreLogit && c.Rank == 0 {
			layers, cases = append(layers, c.Layer), append(cases, c)
		}
	}
	evidence := s.explain(t, layers, s.targetsOf(cases[0]), explaind.ScoreLogit, explaind.NeedsGradients)
	for i, e := range evidence {
		c := cases[i%len(cases)]
		if e.Layer != c.Layer || e.Row != i/len(cases) {
			t.Fatalf("evidence %d is of row %d, layer %s; want row %d, layer %s", i, e.Row, e.Layer, i/len(cases), c.Layer)
		}
		s.checkMap(t, c, explaind.MethodGradCAM, e.Row, &e)
	}
	// and for two classes each, which takes a second run from the earliest layer on
	both := s.targetsOf(cases[0])
	best := s.twin(cases[0])
	for row := range both {
		both[row] = append(both[row], best.Target(row))
	}
	for i, e := range s.explain(t, layers, both, explaind.ScoreLogit, explaind.NeedsGradients) {
		c := cases[i/2%len(cases)]
		if i%2 == 1 {
			c = s.twin(c)
		}
		s.checkMap(t, c, explaind.MethodGradCAM, e.Row, &e)
	}
}

// testTargets asks for several classes of one image, of which the model cannot know all before it ran: the gradients
// then come from a second run that is fed the activations. They have to be those of the single run.
func (s *subject) testTargets(t *testing.T) {
	for i := range s.reference.Cases {
		best := &s.reference.Cases[i]
		other := s.twin(best)
		if best.Rank != 1 || other == nil {
			continue
		}
		runnerUp := explaind.Target{Rank: min(2, s.reference.Logits.Shape[1]), Versus: -1}
		targets := make([][]explaind.Target, s.reference.Images.Rows())
		for row := range targets {
			targets[row] = []explaind.Target{best.Target(row), other.Target(row), runnerUp}[:3-row%2]
		}
		layers := []string{best.Layer}
		evidence := s.explain(t, layers, targets, best.Score, explaind.NeedsGradients)
		seconds := make([][]explaind.Target, len(targets))
		for row := range targets {
			rank := explaind.TopK(s.reference.Probabilities.Row(row).Data, runnerUp.Rank)[runnerUp.Rank-1]
			seconds[row] = []explaind.Target{{Class: rank, Versus: -1}}
		}
		single := s.explain(t, layers, seconds, best.Score, explaind.NeedsGradients)
		for row := range targets {
			s.checkMap(t, best, explaind.MethodGradCAM, row, &evidence[0])
			s.checkMap(t, other, explaind.MethodGradCAM, row, &evidence[1])
			if len(targets[row]) == 3 {
				if got, want := evidence[2].Class, single[row].Class; got != want {
					t.Errorf("row %d: rank %d is class %d, want %d", row, runnerUp.Rank, got, want)
				}
				if worst := mostDifference(evidence[2].Gradients, single[row].Gradients) / extent(single[row].Gradients.Data); worst > mostMapError {
					t.Errorf("layer %s, row %d: gradients of rank 2 in two runs are off from those in one by %.2g of their range", best.Layer, row, worst)
				}
			}
			evidence = evidence[len(targets[row]):]
		}
	}
}

// testVersus wants the gradient of "c rather than d" to be the difference of the gradients of c and d.
func (s *subject) testVersus(t *testing.T) {
	classes := s.reference.Logits.Shape[1]
	if classes == 1 {
		return
	}
	for i := range s.reference.Cases {
		c := &s.reference.Cases[i]
		if c.Rank != 0 {
			continue
		}
		versus, against, apart := s.targetsOf(c), s.targetsOf(c), s.targetsOf(c)
		for row := range versus {
			d := (c.Classes[row] + 1 + row) % classes
			if d == c.Classes[row] {
				d = (d + 1) % classes
			}
			versus[row][0].Versus = d
			against[row][0].Class = d
			apart[row] = []explaind.Target{versus[row][0], {Rank: 1, Versus: d}}
		}
		layers := []string{c.Layer}
		direct := s.explain(t, layers, versus, c.Score, explaind.NeedsGradients)
		fed := s.explain(t, layers, apart, c.Score, explaind.NeedsGradients)
		gc := s.explain(t, layers, s.targetsOf(c), c.Score, explaind.NeedsGradients)
		gd := s.explain(t, layers, against, c.Score, explaind.NeedsGradients)
		for row := range versus {
			want := explaind.NewTensor(gc[row].Gradients.Shape...)
			for j := range want.Data {
				want.Data[j] = gc[row].Gradients.Data[j] - gd[row].Gradients.Data[j]
			}
			for what, got := range map[string]explaind.Evidence{"in one run": direct[row], "fed": fed[2*row]} {
				if worst := mostDifference(got.Gradients, want) / extent(want.Data); worst > mostMapError {
					t.Errorf("layer %s, row %d, class %d versus %d, %s: off from the difference of the gradients by %.2g of their range",
						c.Layer, row, got.Class, got.Versus, what, worst)
				}
			}
		}
	}
}

func (s *subject) explain(t *testing.T, layers []string, targets [][]explaind.Target, score explaind.Score, needs explaind.Needs) []explaind.Evidence {
	t.Helper()
	result, err := s.model.Explain(context.Background(), &explaind.ExplainRequest{
		Images: s.reference.Images, Layers: layers, Targets: targets, Score: score, Needs: needs,
	})
	if err != nil {
		t.Fatalf("layers %v: %v", layers, err)
	}
	s.checkProbabilities(t, "explaining "+strings.Join(layers, ", "), result.Prediction.Probabilities, s.reference.Probabilities)
	return result.Evidence
}

func (s *subject) checkProbabilities(t *testing.T, what string, got, want *explaind.Tensor) {
	t.Helper()
	worst := mostDifference(got, want)
	s.worstProbability = max(s.worstProbability, worst)
	if worst > mostProbabilityError {
		t.Errorf("%s: probabilities are off by %.2g", what, worst)
	}
}

func (s *subject) targetsOf(c *zoo.Case) [][]explaind.Target {
	targets := make([][]explaind.Target, len(c.Classes))
	for row := range targets {
		targets[row] = []explaind.Target{c.Target(row)}
	}
	return targets
}

// twin is the case of the same layer and score with the other classes.
func (s *subject) twin(c *zoo.Case) *zoo.Case {
	for i := range s.reference.Cases {
		if o := &s.reference.Cases[i]; o != c && o.Layer == c.Layer && o.Score == c.Score {
			return o
		}
	}
	return nil
}

// needs is what the methods of a case need together.
func needs(t *testing.T, c *zoo.Case) (n explaind.Needs) {
	for method := range c.Maps {
		if strings.HasSuffix(method, inputSuffix) {
			continue
		}
		d, err := explain.Lookup(explaind.Method(method))
		if err != nil {
			t.Fatal(err)
		}
		n |= d.Needs
	}
	return n
}

func (s *subject) checkMaps(t *testing.T, c *zoo.Case, row int, e *explaind.Evidence) {
	for name := range c.Maps {
		if method, large := strings.CutSuffix(name, inputSuffix); large {
			s.checkPicture(t, c, explaind.Method(method), row, e)
		} else {
			s.checkMap(t, c, explaind.Method(name), row, e)
		}
	}
}

// checkMap compares one raw map at the layer's resolution.
func (s *subject) checkMap(t *testing.T, c *zoo.Case, method explaind.Method, row int, e *explaind.Evidence) {
	t.Helper()
	if e.Row != row || e.Layer != c.Layer || e.Class != c.Classes[row] {
		t.Errorf("evidence of row %d, layer %s, class %d; want row %d, layer %s, class %d", e.Row, e.Layer, e.Class, row, c.Layer, c.Classes[row])
		return
	}
	got, want := tensorOf(rawMap(t, method, e)), c.Maps[string(method)].Row(row)
	worst, alike := mostDifference(got, want)/extent(want.Data), cosine(got.Data, want.Data)
	s.worstMap = max(s.worstMap, worst)
	if !(worst <= mostMapError) || !(alike >= leastCosine) {
		t.Errorf("layer %s, %s, row %d, class %d: off by %.2g of the map's range, cosine %.7f", c.Layer, method, row, e.Class, worst, alike)
	}
}

// checkPicture compares a map as the article draws it: as large as the image, 1 at its maximum.
func (s *subject) checkPicture(t *testing.T, c *zoo.Case, method explaind.Method, row int, e *explaind.Evidence) {
	t.Helper()
	want := c.Maps[string(method)+inputSuffix].Row(row)
	h := render.Upsample(rawMap(t, method, e), want.Shape[0], want.Shape[1], render.CubicSpline)
	h.Normalize()
	if worst := mostDifference(tensorOf(h), want); !(worst <= mostPictureError) {
		t.Errorf("layer %s, %s drawn, row %d, class %d: off by %.2g", c.Layer, method, row, e.Class, worst)
	}
}

func rawMap(t *testing.T, method explaind.Method, e *explaind.Evidence) *explaind.Heatmap {
	t.Helper()
	d, err := explain.Lookup(method)
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := d.Func(e, &explaind.MethodOptions{})
	if err != nil {
		t.Fatalf("layer %s, %s: %v", e.Layer, method, err)
	}
	return h
}
