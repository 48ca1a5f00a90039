package repository

import (
	"math/rand/v2"
	"time"
)

// Bounds of the time between two attempts to load the same files.
const (
	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

// backoff is how long to wait after so many failures: twice as long each time, up to a fifth more or less, so that servers
// which share a disk do not all load at once.
func backoff(failures int) time.Duration {
	wait := lastRetry
	if doublings := failures - 1; doublings < 16 {
		wait = min(firstRetry<<max(doublings, 0), lastRetry)
	}
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64()))
}
