// Command neighbour tells what one model's callers notice while another one is compiled, loaded and closed: the latency of
// predictions by the first model, quiet and in each of these times.
//
//	go run ./bench/neighbour -explaind bin/explaind SERVING_MODEL_DIR LOADING_MODEL_DIR
//
// The process does what "explaind serve" does: compiling in a process of its own, loading on a thread of low priority. With
// -rough, both happen in this process, as any other work does.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

// most is how many times as long the slowest hundredth of calls may take while another model is compiled or loaded.
const most = 1.5

func main() {
	program := flag.String("explaind", "bin/explaind", "the program that compiles")
	rounds := flag.Int("rounds", 3, "compile, load and close so many times")
	rough := flag.Bool("rough", false, "without the precautions of a server")
	flag.Parse()
	if flag.NArg() != 2 {
		exit(fmt.Errorf("give the folders of two SavedModels: one that serves and one that is loaded"))
	}
	exit(measure(flag.Arg(0), flag.Arg(1), *program, *rounds, *rough))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "neighbour:", err)
		os.Exit(1)
	}
}

// freeSide is the height and width of the pictures for models of free size.
const freeSide = 224

// The times of a round.
const (
	quiet = iota
	compiling
	loading
	closing
	times
)

var names = [times]string{"quiet", "compiling", "loading", "closing"}

// clock says which time it is, and keeps how long calls took that began in each.
type clock struct {
	now  atomic.Int32
	took [times][]time.Duration
}

func measure(serving, other, program string, rounds int, rough bool) error {
	cache, err := os.MkdirTemp("", "explaind-neighbour-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	options := func(cache string) []tfmodel.Option {
		list := []tfmodel.Option{tfmodel.WithCacheDir(cache)}
		if !rough {
			list = append(list, tfmodel.WithGentleLoading(), tfmodel.WithCompiler(func(ctx context.Context, dir, cacheDir string) error {
				return exec.CommandContext(ctx, "nice", "-n", "19", program, "compile", "--cache", cacheDir, dir).Run()
			}))
		}
		return list
	}
	m, err := tfmodel.Open(context.Background(), serving, options(cache)...)
	if err != nil {
		return err
	}
	defer m.Close()
	var c clock
	stop := make(chan struct{})
	failed := make(chan error, 1)
	go func() { failed <- c.ask(m, stop) }()
	for round := range rounds {
		if err := c.round(other, fmt.Sprintf("%s/%d", cache, round), options); err != nil {
			return err
		}
	}
	close(stop)
	if err := <-failed; err != nil {
		return err
	}
	return c.print()
}

// round is quiet for as long as the model then compiles, loads a few times and closes.
func (c *clock) round(dir, cache string, options func(string) []tfmodel.Option) error {
	c.now.Store(compiling)
	began := time.Now()
	if _, err := tfmodel.Compile(context.Background(), dir, options(cache)...); err != nil {
		return err
	}
	for range 3 {
		c.now.Store(loading)
		m, err := tfmodel.Open(context.Background(), dir, options(cache)...)
		if err != nil {
			return err
		}
		c.now.Store(quiet)
		time.Sleep(300 * time.Millisecond)
		c.now.Store(closing)
		if err := m.Close(); err != nil {
			return err
		}
		c.now.Store(quiet)
	}
	time.Sleep(time.Since(began))
	return nil
}

// ask predicts until it is stopped.
func (c *clock) ask(m *tfmodel.Model, stop chan struct{}) error {
	in := m.Spec().Input
	images := explaind.NewTensor(1, cmp.Or(in.Height, freeSide), cmp.Or(in.Width, freeSide), in.Channels)
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		then, began := c.now.Load(), time.Now()
		if _, err := m.Predict(context.Background(), images); err != nil {
			return err
		}
		took := time.Since(began)
		// A call that is under way when something begins suffers from it.
		c.took[max(then, c.now.Load())] = append(c.took[max(then, c.now.Load())], took)
	}
}

func (c *clock) print() error {
	fmt.Println("| time | calls | p50 ms | p99 ms | most ms | p99/quiet |\n|---|---:|---:|---:|---:|---:|")
	var base float64
	var late []string
	for i, took := range c.took {
		if len(took) == 0 {
			continue
		}
		slices.Sort(took)
		at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1e3 }
		if i == quiet {
			base = at(0.99)
		}
		fmt.Printf("| %s | %d | %.1f | %.1f | %.1f | %.2f |\n", names[i], len(took), at(0.5), at(0.99), at(1), at(0.99)/base)
		if (i == compiling || i == loading) && at(0.99) > most*base {
			late = append(late, names[i])
		}
	}
	if len(late) > 0 {
		return fmt.Errorf("p99 is more than %.1f times the quiet one while %v", most, late)
	}
	return nil
}
