package explain

import (
	"context"
	"math"

	"github.com/explaind/explaind"
)

// ablationCAM is Ablation-CAM, which needs no gradients: a channel counts as much as the score drops without it:
//
//	w_k = (S − S_k) / |S|, S_k with A^k = 0
//	L_ij = ReLU(Σ_k w_k A^k_ij)
//
// The network runs from the layer on only, as the activations are fed to it. The paper divides by S, which would turn the
// map over for a negative logit; a score of 0 divides nothing. Channels that are zero anyway are not asked for.
//
// Source: Desai and Ramaswamy, Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
// Localization, WACV 2020.
func ablationCAM(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, true, 0); err != nil {
		return nil, err
	}
	a := q.Evidence[0].Activations
	active := activeChannels(a)
	weights := make([][]float64, len(q.Evidence))
	for t := range weights {
		weights[t] = make([]float64, a.Shape[2])
	}
	err := q.batches(ctx, len(active), q.Rows, func(from, to int) error {
		rows := explaind.NewTensor(append([]int{to - from}, a.Shape...)...)
		for i := from; i < to; i++ {
			row := rows.Row(i - from).Data
			copy(row, a.Data)
			for at := active[i]; at < len(row); at += a.Shape[2] {
				row[at] = 0
			}
		}
		p, err := q.Model.PredictFrom(ctx, q.Evidence[0], rows)
		if err != nil {
			return err
		}
		q.tell(p, from, func(i, t int, score float64) {
			s := float64(q.Evidence[t].Score)
			divisor := math.Abs(s)
			if divisor == 0 {
				divisor = 1
			}
			weights[t][active[i]] = (s - score) / divisor
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	maps := make([]*explaind.Heatmap, len(weights))
	for t := range weights {
		maps[t] = rectify(weighted(weights[t], a, q.Options))
	}
	return answers(maps), nil
}

// activeChannels lists the channels that are not zero everywhere.
func activeChannels(a *explaind.Tensor) []int {
	channels := a.Shape[2]
	on := make([]bool, channels)
	for i, v := range a.Data {
		if v != 0 {
			on[i%channels] = true
		}
	}
	var active []int
	for k := range on {
		if on[k] {
			active = append(active, k)
		}
	}
	return active
}
