// Command throughput measures, side by side in one run, what a server adds to its model:
//
//	go run ./bench/throughput SAVED_MODEL_DIR…
//
// For each model, explaind's session and the plain session of the SavedModel run alone, at several batch sizes; then the
// gRPC server answers closed-loop clients over TCP on 127.0.0.1, as many at once as are asked for, each with a connection of
// its own and one image a call. All take turns in every round, so that a machine whose speed drifts treats them alike.
// Tables in Markdown come out: images a second, milliseconds a call, and the ratios that tell what the server costs.
// Nothing here can fail on time.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/explaind/explaind/batch"
)

// setup is what the flags say.
type setup struct {
	batches, clients []int
	rounds           int
	slice            time.Duration
	runs             batch.Options
	inFlight         int
	only             string
}

func main() {
	var s setup
	batches := flag.String("batches", "1,2,4,8,16", "batch sizes of the sessions")
	clients := flag.String("clients", "1,2,4,8,16", "numbers of clients of the server; 1 and 8 are needed for the ratios")
	flag.IntVar(&s.rounds, "rounds", 5, "turns of each contestant")
	flag.DurationVar(&s.slice, "slice", 1500*time.Millisecond, "how long one turn takes, at least")
	flag.IntVar(&s.runs.MaxRows, "max-batch", 0, "the server's --max-batch; 0 for its default")
	flag.IntVar(&s.runs.MaxRuns, "max-runs", 0, "the server's --max-runs; 0 for its default")
	flag.IntVar(&s.inFlight, "max-in-flight", 0, "the server's --max-in-flight; 0 for its default")
	flag.StringVar(&s.only, "only", "", "measure only contestants whose name holds this; the ratios that need others are left out")
	flag.Parse()
	if flag.NArg() == 0 {
		exit(errors.New("give the folder of at least one SavedModel"))
	}
	var err error
	s.batches, err = numbers(*batches)
	exit(err)
	s.clients, err = numbers(*clients)
	exit(err)
	for _, dir := range flag.Args() {
		exit(s.measure(dir))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err, errors.Unwrap(err))
		os.Exit(1)
	}
}

func numbers(list string) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no list of positive numbers", list)
		}
		out = append(out, n)
	}
	return out, nil
}
