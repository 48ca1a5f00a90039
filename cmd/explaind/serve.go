package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service/telemetry"
)

// serveFlags are the flags of "explaind serve", in groups as its help shows them. Each group reads its flags in a file of its
// own.
type serveFlags struct {
	models     modelSetFlags
	runtime    runtimeFlags
	grpc, http string
	load       loadFlags
	security   securityFlags
	telemetry  telemetryFlags
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve (--models DIR | --model NAME=DIR)...",
		Short: "Serve models over gRPC",
		Long: `Serves the models in one or more folders over gRPC (explaind.v1, health, reflection), and /livez,
/readyz and /metrics over HTTP.

A folder given by --models is a SavedModel, or holds NAME/VERSION/saved_model.pb as TensorFlow Serving
has it; the highest version is served, or those that --version-policy says. Beside saved_model.pb, or in
NAME/, an explaind.yaml may tell how pictures become the model's input.

Models and versions that appear, change or vanish in these folders are noticed while the server runs: a new
version is loaded beside the old one, which then finishes what it has.

The server answers at once and is ready when all models are loaded. SIGTERM or Ctrl-C lets the calls
under way finish, for as long as --grace allows; a second one ends the process.`,
		Example: `  explaind serve --models models
  explaind serve --model resnet50=exports/2026-05/resnet50 --grpc 127.0.0.1:9000 --http ""
  grpcurl -plaintext 127.0.0.1:8500 explaind.v1.ExplainService/ListModels`,
		Args: noArguments("--models"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			given, err := f.settle(cmd)
			if err != nil {
				return err
			}
			return given.locate(a.serve(cmd.Context(), f, given.warnings))
		},
	}
	f.register(cmd)
	return cmd
}

// register adds the flags to a command, in the groups and the order of its help.
func (f *serveFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.String(configFlag, "", "`FILE` of settings, YAML; its keys are the names of these flags, which win over it")
	group(cmd, "Models", func() { f.models.register(flags) })
	group(cmd, "Addresses", func() {
		flags.StringVar(&f.grpc, "grpc", "127.0.0.1:8500", "`HOST:PORT` of gRPC, or unix:PATH")
		flags.StringVar(&f.http, "http", "127.0.0.1:8501", "`HOST:PORT` of /livez, /readyz and /metrics; \"\" for none")
	})
	group(cmd, "Computing", func() { f.runtime.register(flags) })
	group(cmd, "Load", func() { f.load.register(flags) })
	group(cmd, "Security", func() { f.security.register(flags) })
	group(cmd, "Telemetry", func() { f.telemetry.register(flags) })
}

func (a *app) serve(ctx context.Context, f serveFlags, warnings []string) error {
	c, err := a.serveConfig(f)
	if err != nil {
		return err
	}
	for _, text := range warnings {
		c.log.Warn(text)
	}
	rpc, err := listen(f.grpc, "--grpc")
	if err != nil {
		return err
	}
	var probes net.Listener
	if f.http != "" {
		if probes, err = listen(f.http, "--http"); err != nil {
			rpc.Close()
			return err
		}
		if c.certificates != nil {
			probes = tls.NewListener(probes, c.certificates.HTTP())
		}
	}
	return runServer(ctx, c, rpc, probes)
}

// serveConfig checks the flags. The error has all that is wrong.
func (a *app) serveConfig(f serveFlags) (c config, err error) {
	var bad problems
	for _, apply := range []func(*config) error{
		func(c *config) error {
			err := f.telemetry.apply(c, a.stderr)
			if c.log == nil { // the others write to it
				c.log = slog.New(slog.DiscardHandler)
			}
			return err
		},
		f.load.apply,
		func(c *config) error { return f.security.apply(c, f.grpc, f.http, f.models.admin) },
		f.models.apply,
		func(*config) error { return f.runtime.check() },
	} {
		bad.add(apply(&c))
	}
	if len(bad) > 0 {
		return c, bad
	}
	f.runtime.log, f.runtime.serving = c.log, true
	f.runtime.settleCache(func(text string) { c.log.Warn(text) })
	c.open = a.open(f.runtime)
	return c, nil
}

// runServer is "explaind serve" once its flags are read. It takes the listeners over; probes may be nil. It returns nil
// after a stop that ctx asked for, and an error when none of the models could be loaded.
func runServer(ctx context.Context, c config, rpc, probes net.Listener) error {
	defer c.flush()
	defer outliveHangUp(c.log)()
	s, err := newServer(c)
	if err != nil {
		return err
	}
	c.log.Info("listening", "grpc", addressOf(rpc), "http", addressOf(probes))
	web := telemetry.NewServer(c.web(s), c.log)
	group, ctx := errgroup.WithContext(ctx)
	if probes != nil {
		group.Go(func() error {
			if err := web.Serve(probes); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		defer web.Close() // last: the probes tell of the stop
		return s.serve(ctx, rpc)
	})
	for _, watch := range c.watches() {
		group.Go(func() error { watch(ctx); return nil })
	}
	group.Go(func() error {
		err := s.ready(ctx)
		if ctx.Err() != nil { // stopped while loading
			return nil
		}
		if err != nil {
			return err
		}
		up, down, waiting := s.census()
		if waiting != orNone(nil) {
			c.log.Warn("waiting for a version that the version policy wants; until it appears, nothing of these models is served", "models", waiting)
		}
		if up == orNone(nil) {
			c.log.Info("waiting for models", "grpc", addressOf(rpc), "http", addressOf(probes))
			return nil
		}
		c.log.Info("ready", "grpc", addressOf(rpc), "http", addressOf(probes), "models", up, "failed", down)
		return nil
	})
	return group.Wait()
}

// census names the models that answer, those that failed, and those of which nothing is wanted that is there.
func (s *server) census() (up, down, waiting string) {
	var ready, failed, idle []string
	for _, m := range s.models.List() {
		switch {
		case m.Ready():
			ready = append(ready, m.Name)
		case anyIn(m, explaind.ModelFailed):
			failed = append(failed, m.Name)
		case !anyIn(m, explaind.ModelLoading):
			idle = append(idle, m.Name)
		}
	}
	return orNone(ready), orNone(failed), orNone(idle)
}

// anyIn tells whether a version of the model is in the state.
func anyIn(m explaind.ModelStatus, state explaind.ModelState) bool {
	return slices.ContainsFunc(m.Versions, func(v explaind.VersionStatus) bool { return v.State == state })
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
