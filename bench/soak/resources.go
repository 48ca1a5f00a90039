package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// resources takes from a server what it lives on (figure R12): files that it may open, its cache, its disk, its models. What it
// has in memory it must go on serving.
func resources(ctx context.Context, s *soak) error {
	for _, lack := range []struct {
		what string
		run  func(context.Context, *soak) error
	}{
		{"no more files to open (EMFILE)", fewFiles},
		{"the cache is removed, and cannot be made again", noCache},
		{"the disk of the cache is full", fullDisk},
		{"the folder of the models is removed", noModels},
	} {
		err := lack.run(ctx, s)
		s.report.promise("goes on when "+lack.what+" (R12)", err == nil, verdictOr(err, "serves"), "serves")
	}
	return nil
}

func verdictOr(err error, good string) string {
	if err != nil {
		return err.Error()
	}
	return good
}

// serves wants a right answer from a version.
func (s *soak) serves(ctx context.Context, client pb.ExplainServiceClient, version int64) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a, err := client.Explain(ctx, &pb.ExplainRequest{Model: "tiny", Image: s.tiny.image(), Config: s.tiny.config()})
	if err != nil {
		return err
	}
	if wrong := s.tiny.wrongHeat(a); wrong != "" {
		return fmt.Errorf("it answers wrongly: %s", wrong)
	}
	if version != 0 && a.GetModel().GetVersion() != version {
		return fmt.Errorf("version %d answers, not %d", a.GetModel().GetVersion(), version)
	}
	return nil
}

const mostFiles = 80

// fewFiles connects more often than the server may open files.
func fewFiles(ctx context.Context, s *soak) error {
	server, err := s.startBy(ctx, []string{"bash", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, mostFiles)}, "--model", "tiny="+s.tiny.folder(1))
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := s.serves(ctx, client, 0); err != nil {
		return err
	}
	var all []net.Conn
	for range 200 {
		if c, err := net.DialTimeout("tcp", server.grpc, time.Second); err == nil {
			all = append(all, c)
		}
	}
	pause(ctx, 500*time.Millisecond)
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", server.command.Process.Pid))
	if err != nil {
		return err
	}
	if len(files) < mostFiles-2 { // the listener takes and gives back the last one
		return fmt.Errorf("it has only %d files open: the trial does not reach the limit", len(files))
	}
	for range 20 {
		if err := s.serves(ctx, client, 0); err != nil {
			return fmt.Errorf("with %d files open: %w", len(files), err)
		}
	}
	for _, c := range all {
		c.Close()
	}
	other, newConnection, err := server.connect()
	if err != nil {
		return err
	}
	defer newConnection.Close()
	if err := s.serves(ctx, other, 0); err != nil {
		return fmt.Errorf("a new client afterwards: %w", err)
	}
	return server.stop()
}

// withoutCache swaps a model of a server that cannot write to its cache any more. The version that serves goes on; the new one
// is served too, or is reported with the reason and comes as soon as the cache is mended.
func withoutCache(ctx context.Context, s *soak, start func(models string) (*server, error), take func() error, mend func(*server) error) error {
	models := mkdir(filepath.Join(s.root, "swapped"))
	defer os.RemoveAll(models)
	folder := mkdir(filepath.Join(models, "tiny"))
	if err := byRename(s.tiny.folder(1), filepath.Join(folder, "1")); err != nil {
		return err
	}
	server, err := start(models)
	if err != nil {
		return err
	}
	defer server.kill()
	client, connection, err := server.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := take(); err != nil {
		return err
	}
	if err := byRename(s.tiny.folder(2), filepath.Join(folder, "2")); err != nil {
		return err
	}
	for waiting := true; waiting; pause(ctx, poll) {
		if err := s.serves(ctx, client, 0); err != nil {
			return err
		}
		state, reason, err := stateOf(ctx, client, 2)
		switch {
		case err != nil:
			return err
		case state == pb.ModelState_MODEL_STATE_READY:
			waiting = false
		case state == pb.ModelState_MODEL_STATE_FAILED && reason != "CACHE_UNWRITABLE":
			return fmt.Errorf("the new version failed with %s", reason)
		case state == pb.ModelState_MODEL_STATE_FAILED:
			waiting = false
			if err := s.serves(ctx, client, 1); err != nil {
				return err
			}
		}
	}
	if err := mend(server); err != nil {
		return err
	}
	if err := awaitVersion(ctx, client, "tiny", 2, time.Minute); err != nil {
		return err
	}
	if err := s.serves(ctx, client, 2); err != nil {
		return err
	}
	return server.stop()
}

// stateOf is where a version of the only model stands, and the reason if it failed.
func stateOf(ctx context.Context, client pb.ExplainServiceClient, version int64) (pb.ModelState, string, error) {
	answer, err := client.ListModels(ctx, &pb.ListModelsRequest{})
	if err != nil {
		return 0, "", err
	}
	for _, v := range answer.GetModels()[0].GetVersions() {
		if v.GetVersion() == version {
			return v.GetState(), reasonOf(status.FromProto(v.GetStatus()).Err()), nil
		}
	}
	return 0, "", nil
}

// noCache puts a file in the place of the cache's folder.
func noCache(ctx context.Context, s *soak) error {
	if err := os.RemoveAll(s.cache()); err != nil { // another user's
		return err
	}
	return withoutCache(ctx, s, func(models string) (*server, error) {
		return s.startUnprivileged(ctx, "--models", models, "--poll-interval", poll.String())
	}, func() error {
		if err := os.RemoveAll(s.cache()); err != nil {
			return err
		}
		return os.WriteFile(s.cache(), nil, 0o400)
	}, func(*server) error { return os.Remove(s.cache()) })
}

// fullDisk gives the cache a disk of 64 KiB, which one compiled model fills. Where nobody may mount one, that is said.
func fullDisk(ctx context.Context, s *soak) error {
	if err := os.RemoveAll(s.cache()); err != nil {
		return err
	}
	mount := `mkdir -p CACHE && mount -t tmpfs -o size=64k none CACHE && exec "$0" "$@"`
	disk := []string{"unshare", "-rm", "bash", "-c", strings.ReplaceAll(mount, "CACHE", s.cache())}
	if out, err := exec.CommandContext(ctx, disk[0], append(disk[1:], "true")...).CombinedOutput(); err != nil {
		s.report.note("a full disk cannot be made here", strings.TrimSpace(string(out)))
		return nil
	}
	return withoutCache(ctx, s, func(models string) (*server, error) {
		return s.startBy(ctx, disk, "--models", models, "--poll-interval", poll.String())
	}, func() error { return nil }, func(server *server) error {
		inside := fmt.Sprintf("/proc/%d/root%s", server.command.Process.Pid, s.cache())
		all, err := os.ReadDir(inside)
		for _, e := range all {
			err = errors.Join(err, os.RemoveAll(filepath.Join(inside, e.Name())))
		}
		return err
	})
}

// noModels takes the whole folder away, and brings it back with a newer version in it.
func noModels(ctx context.Context, s *soak) error {
	models, away := mkdir(filepath.Join(s.root, "models")), filepath.Join(s.root, "away")
	if err := byRename(s.tiny.folder(1), filepath.Join(mkdir(filepath.Join(models, "tiny")), "1")); err != nil {
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
	if err := os.Rename(models, away); err != nil {
		return err
	}
	for range 20 { // longer than it takes to notice
		if err := s.serves(ctx, client, 1); err != nil {
			return fmt.Errorf("while the folder is away: %w", err)
		}
		pause(ctx, poll)
	}
	if err := byRename(s.tiny.folder(2), filepath.Join(away, "tiny", "2")); err != nil {
		return err
	}
	if err := os.Rename(away, models); err != nil {
		return err
	}
	if err := awaitVersion(ctx, client, "tiny", 2, 30*time.Second); err != nil {
		return err
	}
	return server.stop()
}
