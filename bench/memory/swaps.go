package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

const (
	// settlingSwaps are not counted: allocators and caches of the process fill up meanwhile.
	settlingSwaps = 20
	// fewestSwaps tell a slope from noise.
	fewestSwaps = 100
	// mostGrowth is the limit of what a swap may leave behind, of the model's size. Below leastGrowthMB, nothing is told
	// from noise: a tiny model has a size of kilobytes, and the allocators deal in pages.
	mostGrowth    = 0.01
	leastGrowthMB = 0.05
)

// swap replaces a model by itself, again and again, as a server does with a new version: the next one is opened from the
// cache and answers before the one before it is closed. It prints how resident memory grows per swap.
func swap(dir, cache string, swaps int) error {
	if swaps < fewestSwaps {
		return fmt.Errorf("-swaps must be at least %d", fewestSwaps)
	}
	if cache == "" {
		temp, err := os.MkdirTemp("", "explaind-memory-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		cache = temp
	}
	compiled, err := tfmodel.Compile(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return err
	}
	size := float64(compiled.Bytes) / 1e6
	var serving *tfmodel.Model
	var memory []float64
	began := time.Now()
	for i := range swaps + 1 {
		next, err := openAndAsk(dir, cache)
		if err != nil {
			return err
		}
		if serving != nil {
			if err := serving.Close(); err != nil {
				return err
			}
		}
		serving = next
		now, _, err := resident()
		if err != nil {
			return err
		}
		if i > settlingSwaps {
			memory = append(memory, now)
		}
		if i%20 == 0 {
			fmt.Fprintf(os.Stderr, "%s: swap %d, %.1f MB\n", modelName(dir), i, now)
		}
	}
	defer serving.Close()
	grows, limit := slope(memory), max(mostGrowth*size, leastGrowthMB)
	fmt.Println("| model | swaps | size MB | first MB | last MB | MB per swap | limit | s per swap |\n|---|---:|---:|---:|---:|---:|---:|---:|")
	fmt.Printf("| %-16s | %d | %.1f | %.1f | %.1f | %+.4f | %.4f | %.2f |\n",
		modelName(dir), swaps, size, memory[0], memory[len(memory)-1], grows, limit, time.Since(began).Seconds()/float64(swaps))
	if grows > limit {
		return fmt.Errorf("%s: resident memory grows by %.4f MB a swap, at most %.4f MB are allowed", modelName(dir), grows, limit)
	}
	return nil
}

// openAndAsk opens the model and lets it predict and explain once.
func openAndAsk(dir, cache string) (*tfmodel.Model, error) {
	m, err := tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", err, explaind.AsError(err).Err)
	}
	return m, ask(m, 1)
}
