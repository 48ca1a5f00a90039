package faithfulness

import (
	"cmp"
	"math"
	"slices"

	"github.com/explaind/explaind"
)

// ranking is what the measures read from a map.
type ranking struct {
	mask  []float64 // per pixel, the map stretched to 0…1; all zero if it is flat
	order []int     // the pixels, the most relevant first; of equally relevant ones the first in row-major order
}

func rank(relevance *explaind.Heatmap) ranking {
	values := make([]float64, len(relevance.Values)) // in float64 the range of a map cannot overflow
	for i, v := range relevance.Values {
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			values[i] = f
		}
	}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(values[j], values[i]), cmp.Compare(i, j))
	})
	lo, hi := values[order[len(order)-1]], values[order[0]]
	for i, v := range values {
		if hi > lo {
			values[i] = (v - lo) / (hi - lo)
		} else {
			values[i] = 0
		}
	}
	return ranking{mask: values, order: order}
}

// fraction is the nearest whole number to n·part/whole, halves rounded up.
func fraction(n, part, whole int) int { return (2*n*part + whole) / (2 * whole) }
