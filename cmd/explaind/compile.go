package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/tfmodel"
)

// compileFlags are the flags of "explaind compile".
type compileFlags struct {
	runtime runtimeFlags
	json    bool
	verbose bool
}

// compileLine is what compile --json prints for a SavedModel.
type compileLine struct {
	Model    string   `json:"model"` // its folder
	Digest   string   `json:"digest,omitempty"`
	Found    bool     `json:"found"` // in the cache, compiled
	Bytes    int64    `json:"bytes,omitempty"`
	Layers   int      `json:"layers,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	TookMS   int64    `json:"took_ms"`
	Error    *failure `json:"error,omitempty"`
}

func (a *app) compileCommand() *cobra.Command {
	var f compileFlags
	cmd := &cobra.Command{
		Use:   "compile DIR...",
		Short: "Compile models into the cache, so that they open fast",
		Long: `Compiles SavedModels into the cache folder, loads each once and lets it run: what "explaind serve" does
with a model that it has never seen, but beforehand, as when an image of a container is built. Models
that lie in the cache already are checked only.

A folder is a SavedModel, or holds VERSION/saved_model.pb or NAME/VERSION/saved_model.pb; all versions
are compiled. The cache fits the version of explaind and of TensorFlow that wrote it.

Exit status: 0 all good, 1 some models failed, 2 could not start.`,
		Example: `  explaind compile models --cache /var/cache/explaind
  explaind serve --models models --cache /var/cache/explaind`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{cmd, errors.New("no model is given; name folders that are SavedModels or hold them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.compile(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	f.runtime.register(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object per SavedModel")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what is done")
	return cmd
}

func (a *app) compile(ctx context.Context, f compileFlags, args []string) error {
	if err := f.runtime.check(); err != nil {
		return err
	}
	if f.runtime.cache == "" {
		return errors.New("there is no cache to compile into; choose a folder with --cache DIR")
	}
	f.runtime.log = slog.New(slog.DiscardHandler)
	if f.verbose {
		f.runtime.log = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	var folders []string
	for _, dir := range args {
		if err := missingFolder(dir); err != nil {
			if f.json { // as for any other that cannot be compiled
				why := failureOf(err)
				return errors.Join(a.printCompiled(f, compileLine{Model: dir, Error: &why}), err)
			}
			return err
		}
		folders = append(folders, savedModels(dir)...)
	}
	failed := 0
	for _, dir := range folders {
		line := compileOne(ctx, f.runtime, dir)
		if err := explaind.FromContext(ctx); err != nil {
			return err
		}
		if err := a.printCompiled(f, line); err != nil {
			return err
		}
		if line.Error != nil {
			failed++
		}
	}
	if failed > 0 {
		return unfinished{fmt.Errorf("%d of %d models failed", failed, len(folders))}
	}
	return nil
}

// missingFolder is the error of a folder that does not exist.
func missingFolder(dir string) error {
	if _, err := repository.CheckRoot(dir); err != nil && explaind.AsError(err).Reason == "FOLDER_NOT_FOUND" {
		return err
	}
	return nil
}

// savedModels are the SavedModels in a folder of models, or of versions of one; the folder itself if there are none in it.
func savedModels(dir string) (found []string) {
	for _, inside := range []string{"saved_model.pb", "*/saved_model.pb", "*/*/saved_model.pb"} {
		files, err := fs.Glob(os.DirFS(dir), inside)
		if err != nil || len(files) == 0 {
			continue
		}
		for _, file := range files {
			found = append(found, filepath.Join(dir, filepath.Dir(file)))
		}
		return found
	}
	return []string{dir}
}

func compileOne(ctx context.Context, r runtimeFlags, dir string) compileLine {
	began := time.Now()
	line := compileLine{Model: dir}
	done, err := tfmodel.Compile(ctx, dir, r.options()...)
	line.TookMS = time.Since(began).Milliseconds()
	if err != nil {
		f := failureOf(err)
		line.Error = &f
		return line
	}
	line.Digest, line.Found, line.Bytes, line.Layers, line.Warnings = done.Digest, done.Found, done.Bytes, done.Layers, done.Warnings
	return line
}

func (a *app) printCompiled(f compileFlags, line compileLine) (err error) {
	if f.json {
		return json.NewEncoder(a.stdout).Encode(line)
	}
	if line.Error != nil {
		_, err = fmt.Fprintf(a.stderr, "%s: %s (%s)\n", printable(line.Model), printable(line.Error.Message), line.Error.Reason)
		return err
	}
	did := "compiled"
	if line.Found {
		did = "was compiled already"
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s, %.1f MB, %d layers, %.1f s\n", printable(line.Model), did, float64(line.Bytes)/1e6, line.Layers, float64(line.TookMS)/1e3)
	for _, text := range line.Warnings {
		a.warn(line.Model + ": " + text)
	}
	return err
}
