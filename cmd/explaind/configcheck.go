package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the settings of serve, or list them all",
		Args:  noArguments(""),
	}
	cmd.AddCommand(a.configCheckCommand(), a.configExampleCommand())
	return cmd
}

func (a *app) configCheckCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "check [--config FILE]",
		Short: "Check the settings of serve without serving",
		Long: `Takes the flags, the environment and the file that "explaind serve" would take, and reads all that they
name: certificates, tokens, folders of models. It listens nowhere and loads no model.

Standard output has every setting that is in force, in the form of a configuration file, with where it
is from, and the versions that are found of each model. Standard error has all that is wrong.

Exit status: 0 serve would start, 2 it would not, or a model is not there.`,
		Example: `  explaind config check --config /etc/explaind.yaml
  EXPLAIND_MAX_QUEUE=200 explaind config check --models models`,
		Args: noArguments("--config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			given, err := f.settle(cmd)
			var bad problems
			bad.add(err)
			found, err := a.check(&f, given, err)
			bad.add(err)
			text, err := given.effective()
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "# Every setting in force, and where it is from.\n%s%s", text, found)
			for _, text := range given.warnings {
				a.warn(text)
			}
			return bad.err()
		},
	}
	f.register(cmd)
	return cmd
}

// check does what "explaind serve" does before it listens. It returns which models were found, as lines of comment, and all
// that is wrong beside what is known to be.
func (a *app) check(f *serveFlags, given *settings, known error) (found string, err error) {
	c, err := a.serveConfig(*f)
	var bad problems
	for _, one := range each(err) {
		// A line of models that is wrong was told, and that there are none is no further problem.
		if !errors.Is(one, errNoModels) || known == nil {
			bad.add(one)
		}
	}
	bad.add(samePort(f.grpc, f.http))
	bad.add(f.runtime.checkCache())
	if only := (config{}); f.models.apply(&only) == nil {
		found, err = findModels(only.models, c.log)
		bad.add(err)
	}
	return found, given.locate(bad.err())
}

// each takes problems apart.
func each(err error) (list problems) {
	list.add(err)
	return list
}

// samePort finds the two ports to be one. Addresses that are none are found by others.
func samePort(rpc, web string) error {
	a, err := net.ResolveTCPAddr("tcp", rpc)
	if err != nil {
		return nil
	}
	b, err := net.ResolveTCPAddr("tcp", web)
	if err == nil && web != "" && a.Port != 0 && a.Port == b.Port && (a.IP.Equal(b.IP) || anywhere(a.IP) || anywhere(b.IP)) {
		return fmt.Errorf("--http %s is the port of --grpc %s; give it another one, or none with --http \"\"", web, rpc)
	}
	return nil
}

func anywhere(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }

// checkCache tells why a cache folder that was chosen cannot be written; the one that nobody chose is done without. A
// folder that is not there yet is not made: the one that it would be made in is looked at.
func (r *runtimeFlags) checkCache() error {
	if r.cache == "" || !r.flags.Changed("cache") {
		return nil
	}
	dir := r.cache
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("--cache %s cannot be written: %w; choose another folder, or none with --cache \"\"", r.cache, plain(err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// findModels lists what "explaind serve" would load, a comment of a configuration file.
func findModels(o repository.Options, log *slog.Logger) (string, error) {
	o.Poll, o.Log = 0, log // at once, also what has just been copied
	r, err := repository.New(o)
	if err != nil {
		return "", err
	}
	found := "\n# Models found:\n"
	var bad problems
	for _, m := range r.List() {
		for _, v := range m.Versions {
			if v.Err != nil {
				bad.add(fmt.Errorf("model %s: %s", m.Name, describe(v.Err)))
			}
			if v.Version != 0 {
				found += fmt.Sprintf("#   %s, version %d: %s\n", m.Name, v.Version, foundState(v.State))
			}
		}
		if !anyIn(m, explaind.ModelLoading) && !anyIn(m, explaind.ModelFailed) {
			found += fmt.Sprintf("#   %s: no version on disk is wanted, nothing will be served until one appears\n", m.Name)
		}
	}
	if len(r.List()) == 0 {
		found = "\n# No models are there yet.\n"
	}
	return found, bad.err()
}

// foundState is what would become of a version, in the words of a person.
func foundState(s explaind.ModelState) string {
	switch s {
	case explaind.ModelFailed:
		return "cannot be loaded"
	case explaind.ModelLoading:
		return "will be served"
	default:
		return "will not be served"
	}
}
