package main

import (
	"cmp"
	"math"
	"slices"
)

// rankCorrelation is Spearman's: the correlation of the values' ranks, values that are equal sharing the mean of theirs.
// Of a list of one single value and one that varies it is 0, because the one says nothing about the other; of two that
// do not vary it is NaN. The lists must be of one length.
func rankCorrelation(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	ra, rb := ranks(a), ranks(b)
	middle := float64(len(a)-1) / 2 // the mean of all ranks, ties or not
	var ab, aa, bb float64
	for i := range ra {
		da, db := ra[i]-middle, rb[i]-middle
		ab += da * db
		aa += da * da
		bb += db * db
	}
	switch {
	case aa == 0 && bb == 0:
		return math.NaN()
	case aa == 0 || bb == 0:
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// ranks are the places of the values in their order, from 0.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	out := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			out[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return out
}
