// Package race times functions against each other.
package race

import (
	"slices"
	"time"
)

// Medians runs the contestants in turn, so that a machine whose speed drifts treats them alike, and returns the median of
// each in milliseconds. The first two rounds do not count, unless there is only one.
func Medians(rounds int, contestants ...func() error) ([]float64, error) {
	warmUp := min(2, rounds-1)
	times := make([][]float64, len(contestants))
	for round := range warmUp + rounds {
		for i, run := range contestants {
			start := time.Now()
			if err := run(); err != nil {
				return nil, err
			}
			if round >= warmUp {
				times[i] = append(times[i], float64(time.Since(start).Microseconds())/1e3)
			}
		}
	}
	medians := make([]float64, len(times))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = t[len(t)/2]
	}
	return medians, nil
}
