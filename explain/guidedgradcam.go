package explain

import (
	"context"

	"github.com/explaind/explaind"
)

// guidedGradCAM is Guided Grad-CAM, as fine as guided backpropagation and as much about the class as Grad-CAM:
//
//	M = max_c |R_ijc| · Up(L)_ij
//
// R is that of guidedBackprop, L that of gradCAM.
//
// Source: Selvaraju et al., Grad-CAM, ICCV 2017.
func guidedGradCAM(_ context.Context, q *Question) ([]Answer, error) { return guided(q, gradCAM) }

// guidedGradCAMPlusPlus is guidedGradCAM with the L of gradCAMPlusPlus.
//
// Source: Chattopadhay et al., Grad-CAM++, WACV 2018.
func guidedGradCAMPlusPlus(_ context.Context, q *Question) ([]Answer, error) {
	return guided(q, gradCAMPlusPlus)
}

func guided(q *Question, coarse Func) ([]Answer, error) {
	if err := checkQuestion(q, true, explaind.NeedsGradients); err != nil {
		return nil, err
	}
	out := make([]Answer, len(q.Evidence))
	for t, e := range q.Evidence {
		h, flags, err := coarse(e, q.Options)
		if err != nil {
			return nil, err
		}
		fine, _, err := guidedBackprop(e, q.Options)
		if err != nil {
			return nil, err
		}
		for i, v := range q.Grow(h).Values {
			fine.Values[i] *= v
		}
		out[t] = Answer{Heatmap: fine, Flags: flags}
	}
	return out, nil
}
