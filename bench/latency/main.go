// Command latency compares, side by side in one run, the plain session of a SavedModel (what TensorFlow Serving runs)
// with explaind's Predict and Explain on the same images:
//
//	go run ./bench/latency SAVED_MODEL_DIR…
//
// It prints one table: medians in milliseconds per call, and their ratios to the plain session's predict. The three
// take turns in every round, so that a machine whose speed drifts treats them alike. Nothing here can fail on time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/explaind/explaind/bench/bare"
	"github.com/explaind/explaind/bench/race"
	"github.com/explaind/explaind/tfmodel"
)

func main() {
	rounds := flag.Int("rounds", 15, "calls of each kind per model and batch size, after two that do not count")
	batches := flag.String("batches", "1,8", "batch sizes")
	flag.Parse()
	if flag.NArg() == 0 {
		exit(errors.New("give the folder of at least one SavedModel"))
	}
	sizes, err := parseBatches(*batches)
	exit(err)
	fmt.Println("| model | batch | plain predict ms | predict ms | Grad-CAM ms | predict/plain | Grad-CAM/plain | first load s | cached load s |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, dir := range flag.Args() {
		exit(compare(dir, sizes, *rounds))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err, errors.Unwrap(err))
		os.Exit(1)
	}
}

func parseBatches(list string) ([]int, error) {
	var sizes []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-batches %q is no list of positive numbers", list)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// compare prints the rows of one model.
func compare(dir string, batches []int, rounds int) error {
	m, first, cached, err := open(dir)
	if err != nil {
		return err
	}
	defer m.Close()
	reference, err := bare.OpenSession(dir)
	if err != nil {
		return err
	}
	for _, n := range batches {
		images := bare.RandomImages(m.Spec().Input, n)
		result, err := race.Medians(rounds,
			func() error { return reference.Predict(images) },
			func() error { _, err := m.Predict(context.Background(), images); return err },
			func() error { return bare.GradCAM(m, images) },
		)
		if err != nil {
			return fmt.Errorf("%s, batch %d: %w", dir, n, err)
		}
		plain, predict, explained := result[0], result[1], result[2]
		fmt.Printf("| %s | %d | %.1f | %.1f | %.1f | %.2f | %.2f | %.1f | %.1f |\n", filepath.Base(filepath.Dir(filepath.Clean(dir))), n,
			plain, predict, explained, predict/plain, explained/plain, first.Seconds(), cached.Seconds())
	}
	return nil
}

// open loads the model twice, the second time from the cache, and returns that one.
func open(dir string) (m *tfmodel.Model, first, cached time.Duration, err error) {
	cache, err := os.MkdirTemp("", "explaind-latency-*")
	if err != nil {
		return nil, 0, 0, err
	}
	defer os.RemoveAll(cache)
	for _, took := range []*time.Duration{&first, &cached} {
		if m != nil {
			if err := m.Close(); err != nil {
				return nil, 0, 0, err
			}
		}
		start := time.Now()
		if m, err = tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache)); err != nil {
			return nil, 0, 0, err
		}
		*took = time.Since(start)
	}
	return m, first, cached, nil
}
