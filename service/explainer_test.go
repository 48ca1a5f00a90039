package service_test

import (
	"sync"
	"testing"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
)

// One explainer serves many callers, and holds the model until it is closed.
func TestExplainerIsShared(t *testing.T) {
	first := fakemodel.New(4, "a", "b", "c")
	repo := fakerepo.New(t, map[string]explaind.Model{"m": first})
	s := service.New(repo, service.Options{MaxInFlight: 4})
	e, err := s.NewExplainer(service.Selector{}, &service.ExplainConfig{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.NewPredictor(service.Selector{Model: "m", Version: 1}, service.PredictConfig{TopK: 1})
	if err != nil {
		t.Fatal(err)
	}
	repo.Put("m", 2, fakemodel.New(4, "x"))
	repo.Load(t.Context())
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			image := pixels(4, 4)
			explained, err := e.Explain(t.Context(), &image, nil)
			predicted, err2 := p.Predict(t.Context(), &image)
			if err != nil || err2 != nil {
				t.Error(err, err2)
				return
			}
			if explained.Model.Version != 1 || len(predicted.Predictions) != 1 || explained.Predictions[0] != predicted.Predictions[0] {
				t.Errorf("%+v and %+v", explained.Predictions, predicted.Predictions)
			}
		})
	}
	all.Wait()
	if e.Model() != p.Model() || e.Model().Version != 1 {
		t.Errorf("models are %v and %v", e.Model(), p.Model())
	}
	e.Close()
	if first.Closed() {
		t.Error("closed under the predictor")
	}
	p.Close()
	p.Close() // twice is once
	for end := time.Now().Add(5 * time.Second); !first.Closed(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still open, though nobody uses it")
		}
	}
}
