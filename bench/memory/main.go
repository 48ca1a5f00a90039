// Command memory tells what loading a model costs: resident memory at its peak and after it has settled, over the size
// of the model's weights, for a first load (compiling) and a second one (from the cache).
//
//	go run ./bench/memory SAVED_MODEL_DIR…
//	go run ./bench/memory -swaps 200 SAVED_MODEL_DIR    how it grows when versions replace each other
//	go run ./bench/memory -runs 10000 SAVED_MODEL_DIR   how it grows while the model answers
//
// Every load runs in a process of its own, because the peak of a process only grows.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

func main() {
	once := flag.String("once", "", "load this SavedModel in this process, for the command itself")
	cache := flag.String("cache", "", "cache folder of -once")
	swaps := flag.Int("swaps", 0, "replace the model so many times")
	runs := flag.Int("runs", 0, "ask the model so many times")
	callers := flag.Int("callers", 8, "at once, with -runs")
	flag.Parse()
	if *once != "" {
		exit(loadOnce(*once, *cache))
		return
	}
	if *swaps > 0 {
		exit(swap(flag.Arg(0), *cache, *swaps))
		return
	}
	if *runs > 0 {
		exit(askOften(flag.Arg(0), *cache, *runs, *callers))
		return
	}
	if flag.NArg() == 0 {
		exit(fmt.Errorf("give the folder of at least one SavedModel"))
	}
	fmt.Printf("| %-16s | %-8s | weights MB | base MB | peak MB | peak/weights | settled MB | settled/weights | load s |\n", "model", "load")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|---:|---:|")
	for _, dir := range flag.Args() {
		exit(measure(dir))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// measure loads the model twice, each time in a new process.
func measure(dir string) error {
	cache, err := os.MkdirTemp("", "explaind-memory-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	for _, load := range []string{"first", "cached"} {
		c := exec.Command(os.Args[0], "-once", dir, "-cache", cache)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		var base, peak, settled, seconds float64
		if _, err := fmt.Sscan(string(out), &base, &peak, &settled, &seconds); err != nil {
			return fmt.Errorf("%s: reading %q: %w", dir, out, err)
		}
		weights, err := weightsMB(cache)
		if err != nil {
			return err
		}
		fmt.Printf("| %-16s | %-8s | %.0f | %.0f | %.0f | %.2f | %.0f | %.2f | %.1f |\n",
			modelName(dir), load, weights, base, peak, peak/weights, settled, settled/weights, seconds)
	}
	return nil
}

// loadOnce prints resident memory before the load, at its peak and afterwards, in MB, and the load's seconds.
func loadOnce(dir, cache string) error {
	base, _, err := resident()
	if err != nil {
		return err
	}
	start := time.Now()
	m, err := tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return fmt.Errorf("%w (%v)", err, explaind.AsError(err).Err)
	}
	took := time.Since(start)
	time.Sleep(2 * time.Second) // the allocator and the collector work on in the background
	settled, peak, err := resident()
	if err != nil {
		return err
	}
	fmt.Println(base, peak, settled, took.Seconds())
	return m.Close()
}

// resident reads the process' resident memory and its peak, in MB.
func resident() (now, peak float64, err error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kB float64
		switch name, value, _ := strings.Cut(lines.Text(), ":"); name {
		case "VmRSS", "VmHWM":
			if _, err := fmt.Sscan(value, &kB); err != nil {
				return 0, 0, err
			}
			if name == "VmRSS" {
				now = kB / 1e3
			} else {
				peak = kB / 1e3
			}
		}
	}
	return now, peak, lines.Err()
}

// weightsMB is the size of the model's weights, each of them once, as the compiled model keeps them.
func weightsMB(cache string) (float64, error) {
	files, err := filepath.Glob(filepath.Join(cache, "*", "weights.bin"))
	if err != nil || len(files) != 1 {
		return 0, fmt.Errorf("found the weights %v in the cache: %w", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// modelName is the name of TensorFlow Serving's layout, NAME/VERSION.
func modelName(dir string) string {
	return filepath.Base(filepath.Dir(filepath.Clean(dir)))
}
