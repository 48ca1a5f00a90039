package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// readers opens 100 streams that send images and never read an answer (figure R10). Others must not notice, and the server may
// hold no more than its windows.
func readers(ctx context.Context, s *soak) error {
	server, err := s.start(ctx, "--model", "tiny="+s.tiny.folder(1))
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()

	measured := pick(s, 3*time.Second, 20*time.Second)
	alone, beside := newTally(), newTally()
	s.askTiny(ctx, client, newTally(), 2, time.Second) // to warm up
	s.askTiny(ctx, client, alone, 2, measured)
	before, err := server.resident()
	if err != nil {
		return err
	}

	stalling, stopStalling := context.WithCancel(ctx)
	defer stopStalling()
	const stalled = 100
	var sent [stalled]int
	var workers sync.WaitGroup
	var mu sync.Mutex
	for i := range stalled {
		workers.Go(func() {
			// A connection each, as 100 clients have, so that each has a window of its own.
			client, connection, err := server.connect()
			if err != nil {
				return
			}
			defer connection.Close()
			stream, err := client.ExplainStream(stalling)
			if err != nil {
				return
			}
			// Large maps fill the window of the answers soon.
			config := &pb.ExplainStreamConfig{Config: &pb.ExplainConfig{Rendering: &pb.Rendering{Values: true, OverlayPng: true}}}
			err = stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: config}})
			for n := int64(0); err == nil; n++ {
				mu.Lock()
				sent[i]++
				mu.Unlock()
				err = stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: &pb.ImageItem{Sequence: n, Image: s.tiny.image()}}})
			}
		})
	}
	total := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, k := range sent {
			n += k
		}
		return n
	}
	quiet := func() bool { // all have run into their windows
		last := total()
		pause(ctx, time.Second)
		return total() == last
	}
	for began := time.Now(); !quiet() && time.Since(began) < pick(s, 30*time.Second, patience) && ctx.Err() == nil; {
	}
	stuck := quiet()
	s.askTiny(ctx, client, beside, 2, measured)
	after, err := server.resident()
	if err != nil {
		return err
	}
	stopStalling()
	workers.Wait()
	s.report.promise("100 streams that are never read stop at their windows (R10)", stuck, fmt.Sprintf("%d images sent", total()), "sending ends")
	alone.account(s.report, "requests before (R10)")
	beside.account(s.report, "requests beside 100 stalled streams (R10)")
	was, is := percentile(alone.accepted, 0.99), percentile(beside.accepted, 0.99)
	s.report.within("p99 beside them (R10)", is, was*11/10)
	s.report.note("p99 before", was.Round(10*time.Microsecond).String())
	// For each of them a window of HTTP/2 full of images, the images that are held with their answers, and as much again that
	// Go's collector leaves until it comes by.
	s.report.aim("memory for each of them", after-before <= stalled*4*mebi, fmt.Sprintf("%+.1f MiB", float64(after-before)/mebi/stalled), "≤ 4 MiB")
	return server.stop()
}
