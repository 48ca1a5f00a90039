package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// swaps replaces the versions of a tiny model by others while clients ask as fast as they are answered. Every answer must name
// one version, and be what that version answers; nobody may notice otherwise that there is a swap (figure R1).
func swaps(ctx context.Context, s *soak) error {
	folder := filepath.Join(s.root, "models", "tiny")
	if err := byRename(s.tiny.folder(1), filepath.Join(mkdir(folder), "1")); err != nil {
		return err
	}
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

	load := newSwapLoad(s.tiny)
	asking, stopAsking := context.WithCancel(ctx)
	defer stopAsking()
	// Saturating, and fewer than the server takes before it refuses any.
	for range 4 {
		load.workers.Go(func() { load.predict(asking, client) })
		load.workers.Go(func() { load.explain(asking, client) })
	}
	for range 2 {
		load.workers.Go(func() { load.predictStream(asking, client) })
		load.workers.Go(func() { load.explainStream(asking, client) })
	}
	number := pick(s, 12, 200)
	began := time.Now()
	done, err := swap(ctx, s, client, folder, number, func(int64) {})
	if err == nil {
		err = load.until(ctx, pick(s, 500, 20_000))
	}
	stopAsking()
	load.workers.Wait()
	s.report.count("swaps under load (R1)", done, number)
	load.tally.account(s.report, "requests over Predict, Explain and streams (R1)")
	s.report.promise("of them refused", len(load.tally.refused) == 0, list(load.tally.reasons), "0")
	s.report.promise("of them accepted", len(load.tally.accepted) >= pick(s, 500, 20_000), fmt.Sprint(len(load.tally.accepted)), "≥ "+fmt.Sprint(pick(s, 500, 20_000)))
	s.report.count("answers by an older version after a newer one", int(load.backwards.Load()), 0)
	s.report.note("time per swap", (time.Since(began) / time.Duration(max(done, 1))).Round(time.Millisecond).String())
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(server.log(), 20))
	}
	return server.stop()
}

// swap installs versions 2, 3, … of the tiny model, by rename and slowly in turn, each when the one before answers, and removes
// those that are long out of use. It returns how many came into service.
func swap(ctx context.Context, s *soak, client pb.ExplainServiceClient, folder string, number int, after func(version int64)) (int, error) {
	for i := range number {
		version := int64(i + 2)
		install := byRename
		if i%2 == 1 {
			install = slowly
		}
		if err := install(s.tiny.folder(version), filepath.Join(folder, fmt.Sprint(version))); err != nil {
			return i, err
		}
		if err := awaitVersion(ctx, client, filepath.Base(folder), version, 30*time.Second); err != nil {
			return i, err
		}
		os.RemoveAll(filepath.Join(folder, fmt.Sprint(version-2)))
		after(version)
	}
	return number, nil
}

func mkdir(dir string) string {
	os.MkdirAll(dir, 0o755) // what cannot be made is told by who writes into it
	return dir
}

// swapLoad are clients that know what each version must answer.
type swapLoad struct {
	tiny      *tiny
	tally     *tally
	rest      time.Duration // between the requests of one who predicts; none at full load
	workers   sync.WaitGroup
	backwards atomic.Int64
}

func newSwapLoad(t *tiny) *swapLoad { return &swapLoad{tiny: t, tally: newTally()} }

// until waits for a number of answers.
func (l *swapLoad) until(ctx context.Context, answers int) error {
	for {
		l.tally.mu.Lock()
		n, failed := len(l.tally.accepted), l.tally.failures()
		l.tally.mu.Unlock()
		if n >= answers || failed > answers {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A worker asks until ctx ends; a request that is under way then is finished.
func (l *swapLoad) predict(ctx context.Context, client pb.ExplainServiceClient) {
	var newest int64
	for ctx.Err() == nil {
		answered := l.tally.send()
		a, err := client.Predict(context.WithoutCancel(ctx), &pb.PredictRequest{Model: "tiny", Image: l.tiny.image()})
		wrong := ""
		if err == nil {
			wrong = l.tiny.wrongClasses(a.GetModel(), a.GetPredictions())
			newest = l.inOrder(newest, a.GetModel())
		}
		answered(err, wrong)
		pause(ctx, l.rest)
	}
}

func (l *swapLoad) explain(ctx context.Context, client pb.ExplainServiceClient) {
	var newest int64
	for ctx.Err() == nil {
		answered := l.tally.send()
		a, err := client.Explain(context.WithoutCancel(ctx), &pb.ExplainRequest{Model: "tiny", Image: l.tiny.image(), Config: l.tiny.config()})
		wrong := ""
		if err == nil {
			wrong = l.tiny.wrongHeat(a)
			newest = l.inOrder(newest, a.GetModel())
		}
		answered(err, wrong)
	}
}

func (l *swapLoad) inOrder(newest int64, m *pb.ModelRef) int64 {
	if m.GetVersion() < newest {
		l.backwards.Add(1)
	}
	return max(newest, m.GetVersion())
}

// perStream is how many images a client sends before it opens the next stream.
const perStream = 20

func (l *swapLoad) predictStream(ctx context.Context, client pb.ExplainServiceClient) {
	for ctx.Err() == nil {
		stream, err := client.PredictStream(context.WithoutCancel(ctx))
		if err != nil {
			l.tally.send()(err, "")
			continue
		}
		answered := map[int64]func(error, string){}
		stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{Model: "tiny"}}})
		for n := range int64(perStream) {
			answered[n] = l.tally.send()
			stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: &pb.ImageItem{Sequence: n, Image: l.tiny.image()}}})
		}
		stream.CloseSend()
		pinned := int64(0)
		listen(l.tally, answered, stream.Recv, func(m *pb.PredictStreamResponse) (int64, string, bool) {
			pinned = max(pinned, m.GetStarted().GetModel().GetVersion())
			r := m.GetResult()
			return r.GetSequence(), l.pinned(pinned, r.GetResponse().GetModel(), l.tiny.wrongClasses(r.GetResponse().GetModel(), r.GetResponse().GetPredictions())), r != nil
		})
	}
}

func (l *swapLoad) explainStream(ctx context.Context, client pb.ExplainServiceClient) {
	for ctx.Err() == nil {
		stream, err := client.ExplainStream(context.WithoutCancel(ctx))
		if err != nil {
			l.tally.send()(err, "")
			continue
		}
		answered := map[int64]func(error, string){}
		stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Config{Config: &pb.ExplainStreamConfig{Model: "tiny", Config: l.tiny.config()}}})
		for n := range int64(perStream) {
			answered[n] = l.tally.send()
			stream.Send(&pb.ExplainStreamRequest{Message: &pb.ExplainStreamRequest_Item{Item: &pb.ImageItem{Sequence: n, Image: l.tiny.image()}}})
		}
		stream.CloseSend()
		pinned := int64(0)
		listen(l.tally, answered, stream.Recv, func(m *pb.ExplainStreamResponse) (int64, string, bool) {
			pinned = max(pinned, m.GetStarted().GetModel().GetVersion())
			r := m.GetResult()
			return r.GetSequence(), l.pinned(pinned, r.GetResponse().GetModel(), l.tiny.wrongHeat(r.GetResponse())), r != nil
		})
	}
}

// pinned adds to what is wrong with an answer that it is not of the stream's version.
func (l *swapLoad) pinned(version int64, m *pb.ModelRef, wrong string) string {
	if wrong == "" && m.GetVersion() != version {
		return fmt.Sprintf("version %d answers in a stream of version %d", m.GetVersion(), version)
	}
	return wrong
}

// listen settles the accounts of a stream: every image is answered once, or failed with the stream.
func listen[Resp any](t *tally, answered map[int64]func(error, string), recv func() (*Resp, error), result func(*Resp) (sequence int64, wrong string, ok bool)) {
	for {
		m, err := recv()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			for _, settle := range answered {
				settle(err, "an image of a stream without an answer")
			}
			return
		}
		if sequence, wrong, ok := result(m); ok {
			settle, open := answered[sequence]
			if !open {
				t.send()(nil, "an image that was answered twice")
				continue
			}
			delete(answered, sequence)
			settle(nil, wrong)
		} else if failure := itemError(m); failure != nil {
			if settle, open := answered[failure.GetSequence()]; open {
				delete(answered, failure.GetSequence())
				settle(statusOf(failure), "")
			}
		}
	}
}

func itemError[Resp any](m *Resp) *pb.ItemError {
	return any(m).(interface{ GetError() *pb.ItemError }).GetError()
}

func statusOf(e *pb.ItemError) error { return status.FromProto(e.GetStatus()).Err() }
