package service

import (
	"context"

	"github.com/explaind/explaind"
)

// defaultTopK is how many classes an answer holds unless asked otherwise.
const defaultTopK = 5

// Predict answers one image.
func (s *Service) Predict(ctx context.Context, r *PredictRequest) (*PredictAnswer, error) {
	p, err := s.NewPredictor(r.Selector, r.Config)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return p.Predict(ctx, &r.Image)
}

// Predictor answers many images with one version of a model, which it holds until Close. Predict may be called by many
// goroutines at once; Close only after the last of them returned.
type Predictor struct {
	service *Service
	handle  *explaind.Handle
	config  PredictConfig
}

// NewPredictor acquires the model and checks the config.
func (s *Service) NewPredictor(sel Selector, config PredictConfig) (*Predictor, error) {
	h, err := s.acquire(sel)
	if err != nil {
		return nil, err
	}
	p := &Predictor{service: s, handle: h, config: config}
	if p.config.TopK, err = topK(config.TopK, h.Model.Spec(), "top_k"); err != nil {
		h.Release()
		return nil, err
	}
	if _, ok := h.Model.(outputter); config.RawOutputs && !ok {
		h.Release()
		return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_RAW_OUTPUTS", "model %q gives no raw outputs; ask without raw_outputs", h.Ref.Name)
	}
	return p, nil
}

// Model names the version that answers.
func (p *Predictor) Model() explaind.ModelRef { return p.handle.Ref }

// Close gives the model back.
func (p *Predictor) Close() { p.handle.Release() }

// Predict is the story of one prediction.
func (p *Predictor) Predict(ctx context.Context, image *Image) (*PredictAnswer, error) {
	watch := startWatch()
	explaind.ObserverOf(ctx).Answers(p.handle.Ref)
	place, err := p.service.enter(ctx, false)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	answer := &PredictAnswer{ImageID: image.ID, Model: p.handle.Ref}
	spec := p.handle.Model.Spec()
	in, err := place.input(ctx, image, spec, false, watch, &answer.Timing)
	if err != nil {
		return nil, err
	}

	if err := explaind.FromContext(ctx); err != nil {
		return nil, inPhase(err, "DECODE")
	}
	prediction, err := p.run(ctx, in.tensor)
	if err != nil {
		return nil, err
	}
	answer.Timing.Run = watch.next()

	answer.Predictions = best(spec, prediction, p.config.TopK)
	answer.Outputs = prediction.Outputs
	answer.Timing.Total = watch.total()
	return answer, nil
}

// outputter is a model that can also return its signature's outputs as they are.
type outputter interface {
	PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error)
}

func (p *Predictor) run(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	predict := p.handle.Model.Predict
	if p.config.RawOutputs {
		predict = p.handle.Model.(outputter).PredictOutputs
	}
	prediction, err := predict(ctx, images)
	return prediction, ofModel(err)
}

// topK checks how many classes are asked for. More than there are is all of them.
func topK(k int, spec *explaind.Spec, field string) (int, error) {
	if k < 0 {
		return 0, explaind.FieldError(field, "BAD_TOP_K", "%d classes are asked for; give a positive number, or 0 for %d", k, defaultTopK)
	}
	if k == 0 {
		k = defaultTopK
	}
	return min(k, spec.Head.Classes), nil
}

// best lists the k most probable classes of a prediction's only row. Their logits decide, since probabilities next to 1
// are all the same number.
func best(spec *explaind.Spec, p *explaind.Prediction, k int) []ClassScore {
	probabilities, logits := p.Probabilities.Row(0).Data, p.Logits.Row(0).Data
	scores := make([]ClassScore, 0, k)
	for _, c := range explaind.TopK(logits, k) {
		scores = append(scores, ClassScore{Class: c, Label: label(spec, c), Probability: probabilities[c], Logit: logits[c]})
	}
	return scores
}

// label is empty when the model has none.
func label(spec *explaind.Spec, class int) string {
	if len(spec.Labels) == 0 {
		return ""
	}
	return spec.Label(class)
}
