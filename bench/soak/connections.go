package main

import (
	"context"
	"fmt"
	"time"
)

// connections breaks the connections of a client again and again: resets, connections that are open at one end only, closes in
// the middle of a message, and crawling ones (figure R11). A client that sends again what has no answer must get all of it.
func connections(ctx context.Context, s *soak) error {
	server, err := s.start(ctx, "--model", "tiny="+s.tiny.folder(1))
	if err != nil {
		return err
	}
	defer server.kill()
	p, err := newProxy(server.grpc, pick[int64](s, 16<<10, 64<<10))
	if err != nil {
		return err
	}
	defer p.close()
	ctx, cancel := context.WithTimeout(ctx, pick(s, time.Minute, 10*time.Minute))
	defer cancel()
	b := &batch{number: pick(s, 1000, 10_000), image: s.tiny.image(), addresses: []string{p.address()}, stall: time.Second}
	failure := b.run(ctx)
	p.mu.Lock()
	counts := fmt.Sprintf("%d resets, %d half-open, %d cut, %d slow and reset", p.count[reset], p.count[halfOpen], p.count[cut], p.count[slow])
	p.mu.Unlock()
	s.report.promise("images answered over breaking connections (R11)", failure == nil && b.answered() == b.number, fmt.Sprintf("%d of %d", b.answered(), b.number), "all")
	s.report.count("of them more than once", b.twice(), 0)
	s.report.count("of them with an error", len(b.failed), 0)
	s.report.promise("connections that broke", b.streams > 4, counts, "all kinds")
	// Nobody waits any more: what the broken connections left behind must be gone, and others are served.
	direct, after := newTally(), time.Second
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	s.askTiny(ctx, client, direct, 1, after)
	direct.account(s.report, "requests afterwards")
	return server.stop()
}
