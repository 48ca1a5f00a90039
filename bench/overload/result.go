package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// result is what became of the requests of one part.
type result struct {
	began time.Time
	took  time.Duration
	own   time.Duration // that this process has computed
	other time.Duration // that the server has computed

	mu       sync.Mutex
	sent     int
	answered []time.Duration
	refused  []time.Duration
	failed   int
	silent   int // refusals that do not say when to come back
	failures map[string]int
}

func (l *load) begin() *result {
	return &result{began: time.Now(), own: processor(), other: l.server.processor(), failures: map[string]int{}}
}

func (l *load) end(r *result) {
	if r.took == 0 {
		r.took = time.Since(r.began)
	}
	r.own, r.other = processor()-r.own, l.server.processor()-r.other
}

// goodput is how many were answered a second.
func (r *result) goodput() float64 { return float64(len(r.answered)) / r.took.Seconds() }

func (r *result) print(part string) {
	fmt.Printf("| %s | %.0f | %d | %d | %d | %d | %.1f | %.0f | %.0f | %.1f | %.1f | %.0f %% |\n", part,
		float64(r.sent)/r.took.Seconds(), r.sent, len(r.answered), len(r.refused), r.failed, r.goodput(),
		milliseconds(percentile(r.answered, 0.5)), milliseconds(percentile(r.answered, 0.99)), milliseconds(percentile(r.refused, 0.99)),
		milliseconds(r.other)/float64(len(r.answered)), 100*r.own.Seconds()/(r.own+r.other).Seconds())
	if n := len(r.answered) + len(r.refused) + r.failed; n != r.sent {
		fmt.Printf("%d requests were sent and %d ended\n", r.sent, n)
	}
}

// percentile is the time within which that share of all was done; 0 if there are none.
func percentile(times []time.Duration, share float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }
