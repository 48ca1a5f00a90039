package main

import (
	"math"
	"testing"
)

// The numbers of lists that vary are scipy.stats.spearmanr's.
func TestRankCorrelation(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}, 0.8207826816681233},
		{[]float64{1, 1, 2, 2, 3, 0}, []float64{2, 0, 2, 1, 5, 5}, 0.060606060606060594},
		{[]float64{0, 0, 0, 1}, []float64{3, 1, 2, 4}, 0.7745966692414834},
		{[]float64{1e-9, 2, 1, 4}, []float64{4, 1, 3, 0}, -1},
		{[]float64{0.5, 0.1, 0.1, 0.1, 0.9, 0.9, 0, 3}, []float64{1, 2, 2, 4, 0, 8, 8, 8}, -0.025316455696202535},
		{[]float64{1, 2, 3}, []float64{7, 7, 7}, 0},
		{[]float64{7, 7, 7}, []float64{1, 2, 3}, 0},
		{[]float64{1, 1}, []float64{2, 2}, math.NaN()},
		{nil, nil, math.NaN()},
		{[]float64{1, 2}, []float64{1, 2, 3}, math.NaN()},
	} {
		got := rankCorrelation(c.a, c.b)
		if math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%v, %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
