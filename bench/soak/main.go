// Command soak drives the real server, as a process of its own, through what servers meet in their lives: models that are
// swapped under load, more requests than it can answer, deadlines, a stop in the middle of the work, broken models, slow and
// breaking connections, and a machine that runs out of files, disk or rights.
//
//	soak [-short] [-only SWAPS,…] -server bin/explaind -tiny DIR -zoo DIR
//
// It ends with a table of what was measured. Of every request is known what became of it: accepted + refused + failed = sent.
// A broken promise of correctness makes the exit status 1; a time or a size that is over its limit is only told, since it
// depends on the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// scenarios are all of them, in the order of the table.
var scenarios = []struct {
	name string
	run  func(ctx context.Context, s *soak) error
}{
	{"swaps", swaps},
	{"memory", memory},
	{"overload", overload},
	{"deadlines", deadlines},
	{"shutdown", shutdown},
	{"broken", broken},
	{"neighbour", neighbour},
	{"readers", readers},
	{"connections", connections},
	{"resources", resources},
}

// soak is what all scenarios work with.
type soak struct {
	binary string
	tiny   *tiny
	zoo    string
	root   string // of the scenario's own folders
	short  bool
	report *report
}

// pick is the figure of the form that runs.
func pick[T any](s *soak, short, full T) T {
	if s.short {
		return short
	}
	return full
}

func main() {
	short := flag.Bool("short", false, "run each scenario for seconds")
	only := flag.String("only", "", "the scenarios to run, separated by commas; all if empty")
	server := flag.String("server", "bin/explaind", "the server's binary")
	tinyDir := flag.String("tiny", ".cache/soak", "what make_models.py made")
	zoo := flag.String("zoo", ".cache/zoo", "the test models")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	broken, err := run(ctx, *short, *only, *server, *tinyDir, *zoo)
	if err != nil {
		log.Fatal(err)
	}
	if broken {
		os.Exit(1)
	}
}

// run tells whether a promise was broken. The error is of a soak that could not run.
func run(ctx context.Context, short bool, only, server, tinyDir, zoo string) (bool, error) {
	models, err := readTiny(tinyDir)
	if err != nil {
		return false, err
	}
	binary, err := filepath.Abs(server)
	if err != nil {
		return false, err
	}
	r := &report{}
	for _, scenario := range scenarios {
		if only != "" && !strings.Contains(","+only+",", ","+scenario.name+",") {
			continue
		}
		began := time.Now()
		log.Printf("%s …", scenario.name)
		root, err := os.MkdirTemp("", "soak-"+scenario.name+"-")
		if err != nil {
			return false, err
		}
		r.scenario = scenario.name
		if err := scenario.run(ctx, &soak{binary, models, zoo, root, short, r}); err != nil {
			r.broken("the scenario ends", err.Error())
		}
		os.RemoveAll(root)
		log.Printf("%s: %s", scenario.name, time.Since(began).Round(time.Second))
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Print(r)
	return r.isBroken(), ctx.Err()
}
