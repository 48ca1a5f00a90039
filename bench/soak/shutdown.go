package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// shutdown stops a server by SIGTERM in the middle of the work (figure R6), several times.
func shutdown(ctx context.Context, s *soak) error {
	second, err := s.start(ctx, "--model", "tiny="+s.tiny.folder(1))
	if err != nil {
		return err
	}
	defer second.kill()
	outcome := stops{tally: newTally()}
	rounds := pick(s, 3, 20)
	for range rounds {
		if err := outcome.round(ctx, s, second); err != nil {
			return err
		}
	}
	outcome.tally.balance(s.report, "unary calls around SIGTERM (R6)")
	s.report.promise("calls in flight at SIGTERM that failed", outcome.tally.failures()+outcome.tally.expired == 0, list(outcome.tally.failed), "0")
	s.report.promise("calls in flight at SIGTERM", outcome.inFlight > 0, fmt.Sprint(outcome.inFlight), "> 0")
	s.report.count("images over streams that were answered", outcome.answered, outcome.images)
	s.report.count("of them more than once", outcome.twice, 0)
	s.report.promise("streams that were told of draining", outcome.draining > 0, fmt.Sprintf("%d in %d stops", outcome.draining, rounds), "> 0")
	s.report.within("readiness is false after (slowest)", outcome.unready, 100*time.Millisecond)
	s.report.within("exit after (slowest), with a grace of 10 s", outcome.exit, 11*time.Second)
	s.report.count("exits with a status other than 0", outcome.badExits, 0)
	return second.stop()
}

// stops sums up some stops.
type stops struct {
	tally                             *tally
	inFlight, images, answered, twice int
	draining, badExits                int
	unready, exit                     time.Duration
}

func (o *stops) round(ctx context.Context, s *soak, second *server) error {
	server, err := s.start(ctx, "--model", "tiny="+s.tiny.folder(1), "--grace", "10s")
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()

	var mu sync.Mutex
	var at time.Time // of the signal
	stopping := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !at.IsZero()
	}
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for !stopping() && ctx.Err() == nil {
				began := time.Now()
				settle := o.tally.send()
				_, err := client.Explain(ctx, &pb.ExplainRequest{Image: s.tiny.image()})
				mu.Lock()
				before := at.IsZero() || began.Before(at)
				if err == nil && before && !at.IsZero() {
					o.inFlight++
				}
				mu.Unlock()
				settle(unheard(err), "")
			}
		})
	}
	batches := make([]*batch, 4)
	for i := range batches {
		batches[i] = &batch{number: pick(s, 500, 1500), image: s.tiny.image(), addresses: []string{server.grpc, second.grpc}, stall: 20 * time.Second}
		work.Go(func() { batches[i].run(ctx) })
	}
	for began := time.Now(); batches[0].answered() < 20 && time.Since(began) < patience; {
		time.Sleep(time.Millisecond)
	}
	mu.Lock()
	at = time.Now()
	mu.Unlock()
	server.signal(syscall.SIGTERM)
	for server.probe("/readyz") == http.StatusOK {
	}
	o.unready = max(o.unready, time.Since(at))
	select {
	case <-server.ended:
	case <-time.After(patience):
		return fmt.Errorf("the server does not stop:\n%s", tail(server.log(), 20))
	}
	o.exit = max(o.exit, time.Since(at))
	if server.command.ProcessState.ExitCode() != 0 {
		o.badExits++
	}
	work.Wait()
	for _, b := range batches {
		o.images += b.number
		o.answered += b.answered()
		o.twice += b.twice()
		o.draining += b.draining
	}
	return nil
}

// unheard tells calls that no server took, because it was gone when they came, from those that were broken off: the former
// are refused, the latter failed.
func unheard(err error) error {
	s := status.Convert(err)
	if s.Code() != codes.Unavailable || !strings.Contains(s.Message(), "connection refused") {
		return err
	}
	s, _ = s.WithDetails(&errdetails.ErrorInfo{Reason: "CONNECTION_REFUSED", Domain: "explaind"})
	return s.Err()
}
