package explain

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/explaind/explaind"
)

// scoreCAM is Score-CAM, which needs no gradients: each channel's map, grown to the image and stretched to 0…1, masks the
// image, and the channel counts as much as the masked image's score:
//
//	H_k = minmax(Up(A^k))
//	C_k = S(x ⊙ H_k) − S(0)
//	α_k = exp(C_k) / Σ_l exp(C_l)             Algorithm 1; S(0) cancels
//	L_ij = ReLU(Σ_k α_k A^k_ij)
//
// The paper contradicts itself: its text says that the weights are probabilities. ScoreCAMOfficialCode follows the
// authors' code: α_k = P^c(x ⊙ H_k), no softmax over the channels. A flat channel masks nothing and is left out. With
// MaxChannels, only the channels of the largest standard deviation count (Faster Score-CAM).
//
// Source: Wang et al., Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks, CVPR 2020
// workshops, section 3 and Algorithm 1.
func scoreCAM(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, true, 0); err != nil {
		return nil, err
	}
	official := q.Options.ScoreCAM.Form == explaind.ScoreCAMOfficialCode
	asked := *q
	if official {
		asked.Score = explaind.ScoreProbability
	}
	a := q.Evidence[0].Activations
	kept := masking(a, q.Options.ScoreCAM.MaxChannels)
	weights := make([][]float64, len(q.Evidence))
	for t := range weights {
		weights[t] = make([]float64, a.Shape[2])
	}
	channels := q.image().Shape[2]
	mask := func(i int, x []float32) {
		h := stretched(q.Grow(channel(a, kept[i])))
		for k := range x {
			x[k] *= h[k/channels]
		}
	}
	if err := asked.variants(ctx, len(kept), mask, func(i, t int, score float64) { weights[t][kept[i]] = score }); err != nil {
		return nil, err
	}
	maps := make([]*explaind.Heatmap, len(weights))
	for t := range weights {
		if !official {
			softmax(weights[t], kept)
		}
		maps[t] = rectify(weighted(weights[t], a, q.Options))
	}
	return answers(maps), nil
}

// masking lists the channels that are not flat, at most the given number of them (all for 0): those of the largest
// standard deviation, in the order of their numbers.
func masking(a *explaind.Tensor, most int) []int {
	channels := a.Shape[2]
	m := newMoments(channels)
	for at := 0; at < len(a.Data); at += channels {
		m.add(a.Data[at : at+channels])
	}
	var kept []int
	for k, squares := range m.squares {
		if squares > 0 && !math.IsNaN(squares) {
			kept = append(kept, k)
		}
	}
	if most > 0 && len(kept) > most {
		slices.SortStableFunc(kept, func(j, k int) int { return cmp.Compare(m.squares[k], m.squares[j]) })
		kept = kept[:most]
		slices.Sort(kept)
	}
	return kept
}

// channel is A^k.
func channel(a *explaind.Tensor, k int) *explaind.Heatmap {
	h := explaind.NewHeatmap(a.Shape[0], a.Shape[1])
	for i := range h.Values {
		h.Values[i] = a.Data[i*a.Shape[2]+k]
	}
	return h
}

// stretched is minmax(h), in place.
func stretched(h *explaind.Heatmap) []float32 {
	lo, hi := h.Range()
	for i, v := range h.Values {
		if hi > lo {
			v = (v - lo) / (hi - lo)
		}
		h.Values[i] = v
	}
	return h.Values
}

// softmax replaces the kept weights by their softmax.
func softmax(weights []float64, kept []int) {
	top, sum := math.Inf(-1), 0.0
	for _, k := range kept {
		top = math.Max(top, weights[k])
	}
	for _, k := range kept {
		weights[k] = math.Exp(weights[k] - top)
		sum += weights[k]
	}
	for _, k := range kept {
		weights[k] /= sum
	}
}
