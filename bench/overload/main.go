// Command overload measures what a server does when far more is asked of it than it can do:
//
//	go run ./bench/overload [-explaind bin/explaind] SAVED_MODEL_DIR [-- FLAGS OF SERVE…]
//
// It starts the server as a process of its own, on TCP, and asks it in three parts: as much as it can do, by callers that wait
// for their answers (its capacity); four fifths of that, and ten times that, by callers that come at random times and do not
// wait for each other. It prints what became of every request. Generator and server share the machine, so the requests are
// small, the connections few, and the generator's share of the processor is printed beside the figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	binary := flag.String("explaind", "bin/explaind", "the server's program")
	explain := flag.Bool("explain", false, "ask for Grad-CAM instead of predictions")
	seconds := flag.Duration("time", 10*time.Second, "how long each part takes")
	times := flag.Float64("times", 10, "how many times the capacity is asked for")
	callers := flag.Int("callers", 24, "callers that wait for their answers, of the first part")
	flag.Parse()
	if flag.NArg() < 1 {
		exit(errors.New("give the folder of a SavedModel"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	serve := flag.Args()[1:]
	if len(serve) > 0 && serve[0] == "--" {
		serve = serve[1:]
	}
	s, err := start(ctx, *binary, flag.Arg(0), serve)
	exit(err)
	defer s.stop()
	l, err := newLoad(s, *explain)
	exit(err)
	defer l.close()
	if err := s.ready(func() error { _, err := l.ask(ctx, 0); return err }); err != nil {
		s.stop()
		exit(err)
	}
	l.closed(ctx, *callers, 3*time.Second) // the connections are made, and the model meets every size of a shared run

	capacity := l.closed(ctx, *callers, *seconds)
	normal := l.open(ctx, 0.8*capacity.goodput(), *seconds)
	over := l.open(ctx, *times*capacity.goodput(), *seconds)

	fmt.Println("| part | asked/s | sent | answered | refused | failed | answered/s | p50 ms | p99 ms | refusals' p99 ms | server's CPU ms/answer | generator's share of CPU |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	capacity.print("capacity")
	normal.print("80 %")
	over.print(fmt.Sprintf("%g times", *times))
	fmt.Printf("\nanswered under overload / capacity: %.2f (goal: at least 0.9)\n", over.goodput()/capacity.goodput())
	fmt.Printf("p99 of answers under overload / at 80 %%: %.2f (goal: at most 2)\n", ratio(percentile(over.answered, 0.99), percentile(normal.answered, 0.99)))
	fmt.Printf("p99 of refusals: %.1f ms (goal: at most 50)\n", milliseconds(percentile(over.refused, 0.99)))
	fmt.Printf("refusals without a time to come back: %d (goal: none)\n", over.silent)
	for _, r := range []*result{capacity, normal, over} {
		for text, n := range r.failures {
			fmt.Printf("failed %d times: %s\n", n, text)
		}
	}
	fmt.Printf("the server's memory: %s at its peak\n", s.peak())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
}
