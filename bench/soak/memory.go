package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// memory measures what a server holds as versions replace each other (figure R2), and over many requests (R3).
func memory(ctx context.Context, s *soak) error {
	if err := tinySlope(ctx, s); err != nil {
		return err
	}
	if err := mobileNetSlope(ctx, s); err != nil {
		return err
	}
	return requestGrowth(ctx, s)
}

const mebi = 1 << 20

// settled is the swap from which on memory counts: until then pools, caches and the allocator's arenas fill up.
const settled = 20

func tinySlope(ctx context.Context, s *soak) error {
	folder := mkdir(filepath.Join(s.root, "small", "tiny"))
	if err := byRename(s.tiny.folder(1), filepath.Join(folder, "1")); err != nil {
		return err
	}
	return slope(ctx, s, folder, pick(s, 10, 200), func(ctx context.Context, client pb.ExplainServiceClient, number int, after func(int64)) error {
		_, err := swap(ctx, s, client, folder, number, after)
		return err
	})
}

// mobileNetSlope swaps MobileNetV2 by itself: the version is another, the weights are loaded anew.
func mobileNetSlope(ctx context.Context, s *soak) error {
	folder, model := mkdir(filepath.Join(s.root, "large", "mobilenetv2")), filepath.Join(s.zoo, "mobilenetv2", "1")
	if err := byRename(model, filepath.Join(folder, "1")); err != nil {
		return err
	}
	return slope(ctx, s, folder, pick(s, 3, 60), func(ctx context.Context, client pb.ExplainServiceClient, number int, after func(int64)) error {
		for i := range number {
			version := int64(i + 2)
			if err := byRename(model, filepath.Join(folder, fmt.Sprint(version))); err != nil {
				return err
			}
			if err := awaitVersion(ctx, client, "mobilenetv2", version, patience); err != nil {
				return err
			}
			os.RemoveAll(filepath.Join(folder, fmt.Sprint(version-1)))
			after(version)
		}
		return nil
	})
}

// slope swaps a model and fits a line through what the process holds after each swap. Each version has answered before the
// next one comes.
func slope(ctx context.Context, s *soak, folder string, number int, swapAll func(context.Context, pb.ExplainServiceClient, int, func(int64)) error) error {
	server, err := s.start(ctx, "--models", filepath.Dir(folder), "--poll-interval", poll.String())
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	name := filepath.Base(folder)
	size, err := bytesOf(filepath.Join(folder, "1"))
	if err != nil {
		return err
	}
	var held []float64
	var failed error
	err = swapAll(ctx, client, number, func(int64) {
		for range 4 {
			if _, err := client.Explain(ctx, &pb.ExplainRequest{Model: name, Image: s.tiny.image()}); err != nil {
				failed = err
			}
		}
		rss, err := server.resident()
		if err != nil {
			failed = err
		}
		held = append(held, float64(rss))
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(server.log(), 20))
	}
	if failed != nil {
		return failed
	}
	first := min(settled, len(held)/2)
	perSwap := gradient(held[first:])
	figure := fmt.Sprintf("resident memory per swap of %s, from swap %d to %d (R2)", name, first+1, len(held))
	measured := fmt.Sprintf("%+.0f KiB, at %.0f MiB", perSwap/1024, held[len(held)-1]/mebi)
	if s.short { // too few to tell a slope from noise
		s.report.note(figure, measured)
		return server.stop()
	}
	// A tiny model has no size to speak of: a page or two for each of the pools is the noise of the measurement.
	limit := max(float64(size)/100, 16<<10)
	s.report.aim(figure, perSwap <= limit, measured, fmt.Sprintf("≤ %.0f KiB", limit/1024))
	return server.stop()
}

// gradient is the slope of the least-squares line through values at 0, 1, 2, ….
func gradient(values []float64) float64 {
	n := float64(len(values))
	var x, y, xx, xy float64
	for i, v := range values {
		x += float64(i)
		y += v
		xx += float64(i) * float64(i)
		xy += float64(i) * v
	}
	if d := n*xx - x*x; d != 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

func bytesOf(dir string) (size int64, err error) {
	return size, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
}

// requestGrowth asks very often, ten times Predict for each Explain.
func requestGrowth(ctx context.Context, s *soak) error {
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
	total := newTally()
	ask := func(predicts int) {
		var left atomic.Int64
		left.Store(int64(predicts))
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for n := left.Add(-1); n >= 0 && ctx.Err() == nil; n = left.Add(-1) {
					answered := total.send()
					_, err := client.Predict(ctx, &pb.PredictRequest{Model: "tiny", Image: s.tiny.image()})
					answered(err, "")
					if n%10 == 0 {
						answered := total.send()
						_, err := client.Explain(ctx, &pb.ExplainRequest{Model: "tiny", Image: s.tiny.image(), Config: s.tiny.config()})
						answered(err, "")
					}
				}
			})
		}
		workers.Wait()
	}
	number := pick(s, 2000, 100_000)
	ask(number / 5)
	before, err := server.resident()
	if err != nil {
		return err
	}
	ask(number)
	after, err := server.resident()
	if err != nil {
		return err
	}
	total.account(s.report, "requests of the memory soak (R3)")
	s.report.aim(fmt.Sprintf("growth of resident memory over %d Predict and %d Explain (R3)", number, number/10), after-before <= 64*mebi,
		fmt.Sprintf("%+.1f MiB, to %.0f MiB", float64(after-before)/mebi, float64(after)/mebi), "≤ 64 MiB")
	return server.stop()
}
