package service

import (
	"strconv"
	"time"

	"github.com/explaind/explaind"
)

// Stats is what a service has to do at the moment.
type Stats struct {
	Waiting  int // images that wait for a place
	InFlight int // images that have one
	Streams  int // streams that are open
}

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	stats := Stats{Streams: int(s.streams.Load())}
	for _, c := range []*class{s.short, s.long} {
		waiting, taken := c.queue.load()
		stats.Waiting += waiting
		stats.InFlight += taken
	}
	return stats
}

// streamRetry is when a caller may try again to open a stream: streams last.
const streamRetry = 5 * time.Second

// OpenStream counts a stream in, which closed counts out. One more than may be open is Unavailable: each holds some images.
func (s *Service) OpenStream() (closed func(), err error) {
	most := s.options.MaxStreams
	if s.streams.Add(1) <= int64(most) {
		return func() { s.streams.Add(-1) }, nil
	}
	s.streams.Add(-1)
	e := explaind.Errorf(explaind.Unavailable, "OVERLOADED", "%d streams are open, as many as may; call again when others have ended, or send the images of several streams in one", most)
	e.RetryAfter = streamRetry
	e.Metadata = map[string]string{"max_streams": strconv.Itoa(most)}
	return nil, e
}
