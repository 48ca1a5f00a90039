package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// neighbour measures how long callers of one model wait while another is compiled, which takes all that TensorFlow can get
// (figure R9).
func neighbour(ctx context.Context, s *soak) error {
	models := filepath.Join(s.root, "models")
	if err := byRename(s.tiny.folder(1), filepath.Join(mkdir(filepath.Join(models, "tiny")), "1")); err != nil {
		return err
	}
	large := filepath.Join(s.zoo, pick(s, "mobilenetv2", "resnet50"), "1")
	if err := byRename(large, filepath.Join(mkdir(filepath.Join(models, "large")), "1")); err != nil {
		return err
	}
	server, err := s.start(ctx, "--models", models, "--poll-interval", poll.String())
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()

	alone, during := newTally(), newTally()
	s.askTiny(ctx, client, alone, 2, pick(s, 2*time.Second, 10*time.Second))
	asking, stopAsking := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { s.askTiny(asking, client, during, 2, 10*patience) })
	began := time.Now()
	for version := int64(2); version < int64(pick(s, 3, 4)); version++ {
		if err = byRename(large, filepath.Join(s.root, "made")); err != nil {
			break
		}
		// A file more is another model, which is not in the cache of compiled ones.
		if err = os.WriteFile(filepath.Join(mkdir(filepath.Join(s.root, "made", "assets")), "note.txt"), []byte(fmt.Sprint(version)), 0o644); err != nil {
			break
		}
		if err = os.Rename(filepath.Join(s.root, "made"), filepath.Join(models, "large", fmt.Sprint(version))); err != nil {
			break
		}
		if err = awaitVersion(ctx, client, "large", version, patience); err != nil {
			break
		}
	}
	stopAsking()
	workers.Wait()
	if err != nil {
		return err
	}
	alone.account(s.report, "requests before (R9)")
	during.account(s.report, "requests while another model is compiled (R9)")
	before, then := percentile(alone.accepted, 0.99), percentile(during.accepted, 0.99)
	s.report.within("p99 while another model is compiled (R9)", then, before*3/2)
	s.report.note("p99 before, and time of the loads", fmt.Sprintf("%s, %s", before.Round(10*time.Microsecond), time.Since(began).Round(time.Millisecond)))
	return server.stop()
}

// askTiny asks for predictions of the model "tiny" by a number of closed loops, for a while or until ctx ends.
func (s *soak) askTiny(ctx context.Context, client pb.ExplainServiceClient, t *tally, clients int, d time.Duration) {
	end := time.Now().Add(d)
	var workers sync.WaitGroup
	for range clients {
		workers.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				answered := t.send()
				a, err := client.Predict(context.WithoutCancel(ctx), &pb.PredictRequest{Model: "tiny", Image: s.tiny.image()})
				wrong := ""
				if err == nil {
					wrong = s.tiny.wrongClasses(a.GetModel(), a.GetPredictions())
				}
				answered(err, wrong)
			}
		})
	}
	workers.Wait()
}
