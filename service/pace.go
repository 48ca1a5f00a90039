package service

import "time"

// paceMemory is how many departures a pace remembers, roughly.
const paceMemory = 16

// pace is the mean time between two departures from a queue, of late. Only time in which somebody waits counts: a queue
// that nobody stands in says nothing of how fast it moves. The zero pace has measured nothing.
type pace struct {
	last       time.Time // the last departure, or when somebody began to wait
	departures float64   // of late: old ones fade
	took       float64   // in seconds, all of them together
}

// stand notes that somebody waits where nobody did.
func (p *pace) stand() { p.last = time.Now() }

// depart notes that one of those who wait need not any more. Those who give up waiting are no departures.
func (p *pace) depart() {
	const fade = 1 - 1.0/paceMemory
	now := time.Now()
	p.departures = fade*p.departures + 1
	p.took = fade*p.took + now.Sub(p.last).Seconds()
	p.last = now
}

// of is the time that n departures take; 0 if none was seen yet.
func (p *pace) of(n int) time.Duration {
	if p.departures == 0 {
		return 0
	}
	return time.Duration(float64(n) * p.took / p.departures * float64(time.Second))
}
