package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	// pollInterval is how often files are read again. A change is taken over at the second reading that sees it.
	pollInterval = time.Second
	// maxFileBytes bounds what is read: certificates and tokens have a few KiB.
	maxFileBytes = 1 << 20
)

// FileError says which file cannot be used, and why. It holds nothing of the file.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return e.Path + " " + e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

func fileErrorf(path, format string, args ...any) error {
	return &FileError{Path: path, Err: fmt.Errorf(format, args...)}
}

// followed is a value that is read from files, and read again when they change. What cannot be read does not replace the
// value. Safe for concurrent use.
type followed[T any] struct {
	what  string // for the log
	paths []string
	parse func(contents [][]byte) (*T, error)
	every time.Duration
	log   *slog.Logger

	value atomic.Pointer[T]
	seen  [sha256.Size]byte // of what was taken over, or refused, last
}

// follow reads the files for the first time.
func follow[T any](what string, paths []string, parse func([][]byte) (*T, error), log *slog.Logger) (*followed[T], error) {
	f := &followed[T]{what: what, paths: paths, parse: parse, every: pollInterval, log: log}
	contents, err := f.read()
	if err != nil {
		return nil, err
	}
	value, err := parse(contents)
	if err != nil {
		return nil, err
	}
	f.value.Store(value)
	f.seen = digest(contents, nil)
	return f, nil
}

func (f *followed[T]) get() *T { return f.value.Load() }

// watch follows the files until ctx ends. They are read, not watched by the system: a Kubernetes volume replaces a link far
// above the file, and network folders report nothing.
func (f *followed[T]) watch(ctx context.Context) {
	for _, path := range f.paths {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // such as a pipe, which can be read once
			f.log.Warn(f.what+" is not followed: not a regular file", "file", path)
			return
		}
	}
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	last := f.seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		contents, err := f.read()
		now := digest(contents, err)
		settled := now == last // else somebody is writing, or has written one file of two
		last = now
		if settled && now != f.seen {
			f.seen = now
			f.renew(contents, err)
		}
	}
}

func (f *followed[T]) renew(contents [][]byte, err error) {
	var value *T
	if err == nil {
		value, err = f.parse(contents)
	}
	if err != nil {
		f.log.Error(f.what+" cannot be renewed, the old one stays in use", "error", err)
		return
	}
	f.value.Store(value)
	f.log.Info(f.what + " renewed")
}

func (f *followed[T]) read() ([][]byte, error) {
	contents := make([][]byte, len(f.paths))
	for i, path := range f.paths {
		var err error
		if contents[i], err = readFile(path); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		if under, ok := errors.AsType[*os.PathError](err); ok { // the path is named already
			err = under.Err
		}
		return nil, fileErrorf(path, "cannot be read: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	switch {
	case err != nil:
		if under, ok := errors.AsType[*os.PathError](err); ok {
			err = under.Err
		}
		return nil, fileErrorf(path, "cannot be read: %w", err)
	case len(data) > maxFileBytes:
		return nil, fileErrorf(path, "is larger than 1 MiB; is it the right file?")
	}
	return data, nil
}

func digest(contents [][]byte, err error) [sha256.Size]byte {
	all := sha256.New()
	if err != nil {
		fmt.Fprintln(all, err)
	}
	for _, c := range contents {
		fmt.Fprintln(all, len(c))
		all.Write(c)
	}
	return [sha256.Size]byte(all.Sum(nil))
}
