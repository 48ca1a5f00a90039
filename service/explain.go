package service

import (
	"context"

	"github.com/explaind/explaind"
)

// Explain answers one image.
func (s *Service) Explain(ctx context.Context, r *ExplainRequest) (*ExplainAnswer, error) {
	e, err := s.NewExplainer(r.Selector, &r.Config)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.Explain(ctx, &r.Image, nil)
}

// Explainer answers many images with one config and one version of a model, which it holds until Close. Explain may be
// called by many goroutines at once; Close only after the last of them returned.
type Explainer struct {
	service *Service
	handle  *explaind.Handle
	plan    *plan
}

// NewExplainer acquires the model and resolves the config's methods, layers and targets against it.
func (s *Service) NewExplainer(sel Selector, config *ExplainConfig) (*Explainer, error) {
	h, err := s.acquire(sel)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(config, h.Model.Spec(), s.options.MaxExplanations)
	if err != nil {
		h.Release()
		return nil, err
	}
	return &Explainer{service: s, handle: h, plan: p}, nil
}

// Model names the version that answers.
func (e *Explainer) Model() explaind.ModelRef { return e.handle.Ref }

// Close gives the model back.
func (e *Explainer) Close() { e.handle.Release() }

// Explain is the story of one explanation: wait for a place, decode and preprocess, run the model, make a raw map of
// each piece of evidence, grow it to the size asked for, normalise, draw, and measure how faithful it is. Methods of many
// passes tell report, if it is not nil, how far they are.
func (e *Explainer) Explain(ctx context.Context, image *Image, report func(Progress)) (*ExplainAnswer, error) {
	watch := startWatch()
	explaind.ObserverOf(ctx).Answers(e.handle.Ref)
	place, err := e.service.enter(ctx, e.plan.long())
	if err != nil {
		return nil, err
	}
	defer place.leave()
	answer := &ExplainAnswer{ImageID: image.ID, Model: e.handle.Ref}
	spec := e.handle.Model.Spec()
	in, err := place.input(ctx, image, spec, e.plan.rendering.Resolution == ResolutionOriginal, watch, &answer.Timing)
	if err != nil {
		return nil, err
	}
	numbers, err := e.plan.cost(in, spec, e.service.options)
	if err != nil {
		return nil, err
	}
	if err := place.ready(ctx, numbers); err != nil {
		return nil, err
	}
	answer.Timing.Queue += watch.next()

	a := &asker{Explainer: e, in: in, place: place, report: report}
	found, err := a.run(ctx)
	if err != nil {
		return nil, err
	}
	answer.Predictions = best(spec, found.prediction, e.plan.topK)
	maps, err := a.maps(ctx, found)
	if err != nil {
		return nil, err
	}
	maps = e.plan.fuse(maps, in)
	answer.Timing.Run = watch.next()

	place.pause()
	if err := e.draw(ctx, answer, in, maps); err != nil {
		return nil, err
	}
	explaind.Observe(ctx, explaind.PhaseRender, watch.lap, 0)
	answer.Timing.Render = watch.next()
	if err := a.measure(ctx, answer, maps); err != nil {
		return nil, err
	}
	answer.Timing.Run += watch.next()
	answer.Timing.Total = watch.total()
	return answer, nil
}
