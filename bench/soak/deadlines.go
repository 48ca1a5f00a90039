package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// allowances are the deadlines.
var allowances = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second}

// deadlines asks for ten times what the server can answer, with deadlines of 50 ms to 1 s (figure R5). What expires must not be
// computed: as soon as nobody waits any more, the server is idle, and what it answers, it answers in time.
func deadlines(ctx context.Context, s *soak) error {
	server, err := s.start(ctx, "--model", "model="+filepath.Join(s.zoo, "mobilenetv2", "1"))
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	request := &pb.ExplainRequest{Model: "model", Image: s.tiny.image()}
	idle, err := timed(ctx, 5, func() error {
		_, err := client.Explain(ctx, request)
		return err
	})
	if err != nil {
		return err
	}

	duration := pick(s, 4*time.Second, time.Minute)
	capacity := newTally()
	patient(ctx, capacity, client, request, duration/2)

	load := newTally()
	before, err := server.metric("explaind_run_seconds_count")
	if err != nil {
		return err
	}
	var late atomic.Int64
	var workers sync.WaitGroup
	end := time.Now().Add(duration)
	for i := range 40 {
		allowed := allowances[i%len(allowances)]
		workers.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				call, cancel := context.WithTimeout(ctx, allowed)
				answered, began := load.send(), time.Now()
				_, err := client.Explain(call, request)
				cancel()
				answered(err, "")
				if time.Since(began) > allowed+250*time.Millisecond {
					late.Add(1)
				}
				if err != nil {
					pause(ctx, 10*time.Millisecond) // as an impatient caller does
				}
			}
		})
	}
	workers.Wait()
	after, err := timed(ctx, 1, func() error {
		_, err := client.Explain(ctx, request)
		return err
	})
	if err != nil {
		return err
	}
	runs, err := server.metric("explaind_run_seconds_count")
	if err != nil {
		return err
	}
	load.balance(s.report, "requests with deadlines at overload (R5)")
	s.report.promise("that ended other than OK, DEADLINE_EXCEEDED or UNAVAILABLE with a reason", load.failures() == 0, list(load.failed), "0")
	s.report.aim("that ended more than 250 ms after their deadline", late.Load() == 0, fmt.Sprint(late.Load()), "0")
	most, got := perSecond(capacity, duration/2), perSecond(load, duration)
	s.report.aim("answers a second, of those to callers without deadlines", got >= most/2, fmt.Sprintf("%.0f of %.0f", got, most), "≥ half")
	computed := int(runs-before) - 1 // that afterwards
	s.report.note("that were computed, and answered in time", fmt.Sprintf("%d, %d", computed, len(load.accepted)))
	// With no expired work in line, a request is behind one run at most, and that may be a full batch.
	s.report.within("first request after the overload", after, 20*idle+50*time.Millisecond)
	s.report.note("of an idle server", idle.Round(100*time.Microsecond).String())
	return server.stop()
}

// patient asks without deadlines, by as many as keep the server busy.
func patient(ctx context.Context, t *tally, client pb.ExplainServiceClient, request *pb.ExplainRequest, d time.Duration) {
	end := time.Now().Add(d)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				answered := t.send()
				_, err := client.Explain(ctx, request)
				answered(err, "")
			}
		})
	}
	workers.Wait()
}

func perSecond(t *tally, d time.Duration) float64 { return float64(len(t.accepted)) / d.Seconds() }

// timed is the median time of a call.
func timed(ctx context.Context, times int, call func() error) (time.Duration, error) {
	var all []time.Duration
	for range times {
		began := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(began))
	}
	return percentile(all, 0.5), ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
