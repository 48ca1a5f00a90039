package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// poll is how often the servers of the soak look at their folders.
const poll = 100 * time.Millisecond

// byRename copies a SavedModel to a hidden folder and gives that its name when it is whole.
func byRename(from, to string) error {
	hidden := filepath.Join(filepath.Dir(to), ".new-"+filepath.Base(to))
	if err := copyFiles(from, hidden, 0); err != nil {
		return err
	}
	return os.Rename(hidden, to)
}

// slowly copies a SavedModel in place, file by file, each in two halves, so that the server sees it half copied.
func slowly(from, to string) error { return copyFiles(from, to, poll/2) }

func copyFiles(from, to string, pause time.Duration) error {
	var files []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(files) // the variables before saved_model.pb when it is done well; slowly does it badly
	if pause > 0 {
		slices.Reverse(files)
	}
	for _, file := range files {
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := writeHalves(filepath.Join(to, name), data, pause); err != nil {
			return err
		}
	}
	return nil
}

func writeHalves(path string, data []byte, pause time.Duration) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	half := len(data) / 2
	if _, err := f.Write(data[:half]); err != nil {
		return err
	}
	time.Sleep(pause)
	if _, err := f.Write(data[half:]); err != nil {
		return err
	}
	time.Sleep(pause)
	return f.Close()
}

// awaitVersion waits until a version is the one that answers.
func awaitVersion(ctx context.Context, client pb.ExplainServiceClient, model string, version int64, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		m, err := client.GetModel(ctx, &pb.GetModelRequest{Model: model})
		switch {
		case err == nil && m.GetModel().GetVersion() == version:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("version %d of %s does not come within %s; version %d answers, %v; %v", version, model, patience, m.GetModel().GetVersion(), err, m.GetVersions())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
