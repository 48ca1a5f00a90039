package explain

import (
	"context"
	"math/rand/v2"

	"github.com/explaind/explaind"
)

// rise is RISE, Randomized Input Sampling for Explanation: the mean of many random masks, each weighted by the probability
// of the class when the image is seen through it:
//
//	M = 1/(N·p) · Σ_i P^c(x ⊙ M_i) · M_i
//
// A mask is a grid of s×s cells, each seen with the probability p, grown bilinearly to (s+1)·⌈H/s⌉ × (s+1)·⌈W/s⌉ and cut
// out at a random place. What is not seen is 0 in the model's own units. Masks have a generator each, seeded by the
// request's seed and their number. The score is the probability, whatever was asked for.
//
// Source: Petsiuk, Das and Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018,
// equation 6 and section 3.2.
func rise(ctx context.Context, q *Question) ([]Answer, error) {
	if err := checkQuestion(q, false, 0); err != nil {
		return nil, err
	}
	x := q.image()
	asked := *q
	asked.Score = explaind.ScoreProbability
	height, width, channels := x.Shape[0], x.Shape[1], x.Shape[2]
	count, grid, keep := riseMasks(q.Options), riseGrid(q.Options), riseKeep(q.Options)
	sums := make([][]float64, len(q.Evidence))
	for t := range sums {
		sums[t] = make([]float64, height*width)
	}
	masks := make([][]float32, min(q.Rows, count)) // of the pass that is under way
	see := func(i int, at []float32) {
		m := randomMask(rand.New(rand.NewPCG(uint64(q.Options.Seed), uint64(i))), grid, keep, height, width)
		masks[i%q.Rows] = m
		for k := range at {
			at[k] *= m[k/channels]
		}
	}
	err := asked.variants(ctx, count, see, func(i, t int, score float64) {
		for p, m := range masks[i%q.Rows] {
			sums[t][p] += score * float64(m)
		}
	})
	if err != nil {
		return nil, err
	}
	maps := q.maps(height, width)
	for t, h := range maps {
		for p := range h.Values {
			h.Values[p] = float32(sums[t][p] / (float64(count) * float64(keep)))
		}
	}
	return answers(maps), nil
}

// randomMask is one mask, height×width values 0…1.
func randomMask(r *rand.Rand, grid int, keep float32, height, width int) []float32 {
	cells := make([]float32, grid*grid)
	for i := range cells {
		if r.Float64() < float64(keep) {
			cells[i] = 1
		}
	}
	cellHeight, cellWidth := (height+grid-1)/grid, (width+grid-1)/grid
	top, left := int(r.Float64()*float64(cellHeight)), int(r.Float64()*float64(cellWidth))
	down, across := between(grid, (grid+1)*cellHeight, top, height), between(grid, (grid+1)*cellWidth, left, width)
	out := make([]float32, 0, height*width)
	for _, y := range down {
		upper, lower := cells[y.lower*grid:(y.lower+1)*grid], cells[y.upper*grid:(y.upper+1)*grid]
		for _, x := range across {
			above := upper[x.lower] + x.part*(upper[x.upper]-upper[x.lower])
			below := lower[x.lower] + x.part*(lower[x.upper]-lower[x.lower])
			out = append(out, above+y.part*(below-above))
		}
	}
	return out
}

// neighbours are the two cells between which a pixel lies.
type neighbours struct {
	lower, upper int
	part         float32 // of the way from lower to upper
}

// between places the pixels from ≤ i < from+count of a line of n cells grown to size pixels, with half-pixel centres.
func between(n, size, from, count int) []neighbours {
	out := make([]neighbours, count)
	for i := range out {
		place := (float64(from+i)+0.5)*float64(n)/float64(size) - 0.5
		lower := int(place+1) - 1 // place ≥ −0.5: this is its floor
		out[i] = neighbours{min(max(lower, 0), n-1), min(max(lower+1, 0), n-1), float32(place - float64(lower))}
	}
	return out
}
