package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

// mostRunGrowthMB is by how much resident memory may grow over all runs once it is warm.
const mostRunGrowthMB = 64

// askOften lets several callers predict and explain, and prints how resident memory grows meanwhile.
func askOften(dir, cache string, runs, callers int) error {
	m, err := tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return err
	}
	defer m.Close()
	began := time.Now()
	var warm, now float64
	const parts = 10
	for part := range parts {
		var group errgroup.Group
		for range callers {
			group.Go(func() error {
				for range runs / callers / parts {
					if err := ask(m, 1); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if now, _, err = resident(); err != nil {
			return err
		}
		if part == 0 {
			warm = now
		}
		fmt.Fprintf(os.Stderr, "%s: %d of %d, %.1f MB\n", modelName(dir), (part+1)*runs/parts, runs, now)
	}
	if left := tfmodel.TensorBytes(); left != 0 {
		return fmt.Errorf("%s: %d bytes of tensors are alive although nothing runs", modelName(dir), left)
	}
	fmt.Println("| model | runs | callers | first MB | last MB | growth MB | limit | ms per run |\n|---|---:|---:|---:|---:|---:|---:|---:|")
	fmt.Printf("| %-16s | %d | %d | %.1f | %.1f | %+.1f | %d | %.2f |\n",
		modelName(dir), runs, callers, warm, now, now-warm, mostRunGrowthMB, time.Since(began).Seconds()*1e3/float64(runs))
	if now-warm > mostRunGrowthMB {
		return fmt.Errorf("%s: resident memory grew by %.1f MB, at most %d MB are allowed", modelName(dir), now-warm, mostRunGrowthMB)
	}
	return nil
}

// ask predicts and explains rows images.
func ask(m *tfmodel.Model, rows int) error {
	in := m.Spec().Input
	images := explaind.NewTensor(rows, side(in.Height), side(in.Width), in.Channels)
	if _, err := m.Predict(context.Background(), images); err != nil {
		return err
	}
	r := &explaind.ExplainRequest{Images: images, Layers: []string{m.Spec().DefaultLayer}, Needs: explaind.NeedsGradients}
	for range rows {
		r.Targets = append(r.Targets, []explaind.Target{{Rank: 1, Versus: -1}})
	}
	_, err := m.Explain(context.Background(), r)
	return err
}

func side(d int) int {
	if d == 0 {
		return 224
	}
	return d
}
