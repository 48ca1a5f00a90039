package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// broken drops broken versions beside a good one that serves (figure R7). Each must be reported as failed with its reason, the
// old version must answer all the while, and a good version that comes later must be served.
func broken(ctx context.Context, s *soak) error {
	folder := mkdir(filepath.Join(s.root, "models", "tiny"))
	if err := byRename(s.tiny.folder(1), filepath.Join(folder, "1")); err != nil {
		return err
	}
	server, err := s.startUnprivileged(ctx, "--models", filepath.Dir(folder), "--poll-interval", poll.String())
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()

	asking, stopAsking := context.WithCancel(ctx)
	defer stopAsking()
	load := newSwapLoad(s.tiny)
	load.rest = 5 * time.Millisecond
	load.workers.Go(func() { load.predict(asking, client) })
	reported := 0
	for i, b := range breakages {
		version := int64(i + 2)
		if err := dropBroken(ctx, s, client, folder, version, b); err != nil {
			s.report.broken(b.what, err.Error())
			if !server.alive() {
				return fmt.Errorf("the server ended:\n%s", tail(server.log(), 20))
			}
			continue
		}
		reported++
	}
	good := int64(len(breakages) + 2)
	if err := byRename(s.tiny.folder(good), filepath.Join(folder, fmt.Sprint(good))); err != nil {
		return err
	}
	comes := awaitVersion(ctx, client, "tiny", good, 30*time.Second)
	stopAsking()
	load.workers.Wait()
	s.report.count("kinds of broken versions that failed with their reason, the old one serving (R7)", reported, len(breakages))
	load.tally.account(s.report, "requests meanwhile (R7)")
	s.report.promise("a good version afterwards", comes == nil, verdictOr(comes, "is served"), "is served")
	return server.stop()
}

// dropBroken breaks a copy, drops it as a new version, waits until it is reported, and takes it away again.
func dropBroken(ctx context.Context, s *soak, client pb.ExplainServiceClient, folder string, version int64, b breakage) error {
	dir := filepath.Join(folder, fmt.Sprint(version))
	made := filepath.Join(s.root, "made")
	defer os.RemoveAll(made)
	if err := copyFiles(s.tiny.folder(version), made, 0); err != nil {
		return err
	}
	if err := b.breakIt(made); err != nil {
		return err
	}
	if err := os.Rename(made, dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for deadline := time.Now().Add(30 * time.Second); ; pause(ctx, 20*time.Millisecond) {
		state, reason, err := stateOf(ctx, client, version)
		switch {
		case err != nil:
			return err
		case state == pb.ModelState_MODEL_STATE_FAILED && reason == b.reason:
			return stillServes(ctx, client, version)
		case state == pb.ModelState_MODEL_STATE_FAILED:
			return fmt.Errorf("it failed with %s, not %s", reason, b.reason)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("it is not reported as failed after 30 s, but %q", state)
		}
	}
}

// stillServes wants another version than the broken one to answer.
func stillServes(ctx context.Context, client pb.ExplainServiceClient, broken int64) error {
	m, err := client.GetModel(ctx, &pb.GetModelRequest{Model: "tiny"})
	if err != nil {
		return err
	}
	if v := m.GetModel().GetVersion(); v == broken {
		return fmt.Errorf("the broken version %d answers", v)
	}
	return nil
}
