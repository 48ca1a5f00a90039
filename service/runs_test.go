package service_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// Methods share a run of the model where their gradients are of the same score; methods without gradients share any.
func TestRuns(t *testing.T) {
	const (
		cam, grad, pp, article = explaind.MethodCAM, explaind.MethodGradCAM, explaind.MethodGradCAMPlusPlus, explaind.MethodArticleGradCAM
		logit, probability     = explaind.ScoreLogit, explaind.ScoreProbability
	)
	m := fakemodel.New(4, "a", "b", "c")
	s := serviceOf(t, m, service.Options{})
	for _, c := range []struct {
		methods []explaind.Method
		score   explaind.Score
		runs    int
	}{
		{nil, logit, 1},
		{[]explaind.Method{cam}, probability, 1},
		{[]explaind.Method{cam, grad, pp}, logit, 1},
		{[]explaind.Method{article, grad}, probability, 1},
		{[]explaind.Method{article, cam, cam}, logit, 1},
		{[]explaind.Method{article, grad, cam}, logit, 2},
	} {
		before := m.Runs()
		targets := []service.Target{{}, {Rank: ptr(2)}, {Class: ptr(0)}}
		answer, err := s.Explain(t.Context(), &service.ExplainRequest{Image: pixels(4, 4), Config: service.ExplainConfig{Methods: c.methods, Score: c.score, Targets: targets}})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Runs() - before; got != c.runs {
			t.Errorf("%v of score %v: %d runs, want %d", c.methods, c.score, got, c.runs)
		}
		var order []explaind.Method
		for _, x := range answer.Explanations[:max(len(c.methods), 1)] {
			order = append(order, x.Method)
		}
		if c.methods != nil && !slices.Equal(order, c.methods) {
			t.Errorf("%v are answered as %v", c.methods, order)
		}
	}
}

// recorder remembers what a model was asked.
type recorder struct {
	*fakemodel.Model
	asked [][][]explaind.Target // per run, per row
}

func (r *recorder) Explain(ctx context.Context, q *explaind.ExplainRequest) (*explaind.ExplainResult, error) {
	r.asked = append(r.asked, q.Targets)
	return r.Model.Explain(ctx, q)
}

// The first run of the image as it is finds the classes; those after it explain the very same: ranks cannot turn out
// otherwise. Green is class 1.
func TestAllRunsExplainTheSameClasses(t *testing.T) {
	m := &recorder{Model: fakemodel.New(2, "red", "green", "blue")}
	s := serviceOf(t, m, service.Options{})
	config := service.ExplainConfig{
		Methods: []explaind.Method{explaind.MethodGradCAM, explaind.MethodArticleGradCAM},
		Targets: []service.Target{{}, {Rank: ptr(1), Versus: ptr(0)}, {Label: ptr("blue")}},
	}
	ranks := []explaind.Target{{Rank: 1, Versus: -1}, {Rank: 1, Versus: 0}, {Class: 2, Versus: -1}}
	classes := []explaind.Target{{Class: 1, Versus: -1}, {Class: 1, Versus: 0}, {Class: 2, Versus: -1}}
	six := [][]explaind.Target{classes, classes, classes, classes, classes, classes}
	for variants, want := range map[bool][][][]explaind.Target{
		false: {{ranks}, {classes}},
		true:  {six, six},
	} {
		config.Options.AugSmooth, m.asked = variants, nil
		if _, err := s.Explain(t.Context(), &service.ExplainRequest{Image: floats(2, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0), Config: config}); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m.asked, want) {
			t.Errorf("variants %v: the model was asked for %v, want %v", variants, m.asked, want)
		}
	}
	// A rank that turns out to be the class it is compared with is refused, whichever run finds it.
	for _, variants := range []bool{false, true} {
		config.Options.AugSmooth, config.Targets = variants, []service.Target{{}, {Rank: ptr(1), Versus: ptr(1)}}
		_, err := s.Explain(t.Context(), &service.ExplainRequest{Image: floats(2, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0), Config: config})
		if e := explaind.AsError(err); e.Reason != "VERSUS_ITSELF" || e.Field != "config.targets[1].versus_class_index" {
			t.Errorf("variants %v: %v", variants, err)
		}
	}
}
