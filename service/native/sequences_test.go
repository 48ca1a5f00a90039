package native

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The set agrees with a plain one, whatever the order.
func TestSequences(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	orders := map[string]func(i int) int64{
		"counted":   func(i int) int64 { return int64(i) },
		"backwards": func(i int) int64 { return int64(-i) },
		"evens":     func(i int) int64 { return int64(2 * (i % 3000)) },
		"dense":     func(int) int64 { return random.Int64N(3000) },
		"scattered": func(int) int64 { return int64(random.Uint64()) },
		"the ends":  func(i int) int64 { return []int64{math.MinInt64, math.MaxInt64}[i%2] + int64(i%5-2) },
	}
	for what, number := range orders {
		var s sequences
		plain := map[int64]bool{}
		for i := range 5000 {
			n := number(i)
			if isNew := s.add(n); isNew == plain[n] {
				t.Fatalf("%s: add(%d), number %d, says %v", what, n, i, isNew)
			}
			plain[n] = true
		}
		for i, r := range s.runs {
			if r.first > r.last || i > 0 && s.runs[i-1].last >= r.first-1 {
				t.Fatalf("%s: runs %v and %v", what, s.runs[max(i-1, 0)], r)
			}
		}
	}
}

// Who counts needs one run, also where the images come out of order by a little.
func TestSequencesStaySmall(t *testing.T) {
	var s sequences
	for i := range int64(1_000_000) {
		s.add(i ^ 7)
		if len(s.runs) > 5 {
			t.Fatalf("%d runs after %d numbers", len(s.runs), i)
		}
	}
	if len(s.runs) != 1 {
		t.Errorf("%d runs", len(s.runs))
	}
	const scattered = maxRuns + 1000
	for i := range int64(scattered) {
		s.add(2_000_000 + 2*i)
	}
	if len(s.runs) != maxRuns {
		t.Errorf("%d runs, want %d", len(s.runs), maxRuns)
	}
	if s.add(2_000_000 + 2*(scattered-1)) {
		t.Error("the latest number was forgotten")
	}
}
