package native

import (
	"math"
	"slices"
	"sort"
)

// maxRuns bounds the memory of a set of sequences: 1 MiB.
const maxRuns = 1 << 16

// sequences is the set of numbers that a stream has used, kept as runs of neighbours. Who counts, in whatever order the
// images come, needs few runs for any number of images. Of numbers that are scattered over more than maxRuns runs the
// smallest are forgotten: their second use goes unnoticed, which costs nobody but the caller that mixes them up.
type sequences struct {
	runs []run // ascending, with a gap between any two
}

// run is all numbers from first to last.
type run struct{ first, last int64 }

// add tells whether n is new.
func (s *sequences) add(n int64) bool {
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].last >= n }) // the first run that does not end before n
	if i < len(s.runs) && s.runs[i].first <= n {
		return false
	}
	joinsLeft := i > 0 && n != math.MinInt64 && s.runs[i-1].last == n-1
	joinsRight := i < len(s.runs) && n != math.MaxInt64 && s.runs[i].first == n+1
	switch {
	case joinsLeft && joinsRight:
		s.runs[i-1].last = s.runs[i].last
		s.runs = slices.Delete(s.runs, i, i+1)
	case joinsLeft:
		s.runs[i-1].last = n
	case joinsRight:
		s.runs[i].first = n
	default:
		s.runs = slices.Insert(s.runs, i, run{n, n})
	}
	if len(s.runs) > maxRuns {
		s.runs = slices.Delete(s.runs, 0, 1)
	}
	return true
}
