package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
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
		Long: `Serves the models in one or more folders over gRPC (explaind.v1, health, reflection), and /livez and
/readyz over HTTP.

A folder given by --models is a SavedModel, or holds NAME/VERSION/saved_model.pb as TensorFlow Serving
has it; the highest version is served. Beside saved_model.pb, or in NAME/, an explaind.yaml may tell how
pictures become the model's input.

The server answers at once and is ready when all models are loaded. SIGTERM or Ctrl-C lets the calls
under way finish, for as long as --grace allows; a second one ends the process.`,
		Example: `  explaind serve --models models
  explaind serve --model resnet50=exports/2026-05/resnet50 --grpc 127.0.0.1:9000 --http ""
  grpcurl -plaintext 127.0.0.1:8500 explaind.v1.ExplainService/ListModels`,
		Args: noArguments("--models"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	f.models.register(flags)
	flags.StringVar(&f.grpc, "grpc", "127.0.0.1:8500", "`HOST:PORT` of gRPC")
	flags.StringVar(&f.http, "http", "127.0.0.1:8501", "`HOST:PORT` of /livez and /readyz; \"\" for none")
	f.runtime.register(flags)
	group(cmd, "Load", func() { f.load.register(flags) })
	group(cmd, "Security", func() { f.security.register(flags) })
	group(cmd, "Telemetry", func() { f.telemetry.register(flags) })
	return cmd
}

func (a *app) serve(ctx context.Context, f serveFlags) error {
	c, err := a.serveConfig(f)
	if err != nil {
		return err
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
	}
	return runServer(ctx, c, rpc, probes)
}

// serveConfig checks the flags.
func (a *app) serveConfig(f serveFlags) (c config, err error) {
	for _, apply := range []func(*config) error{
		func(c *config) error { return f.telemetry.apply(c, a.stderr) },
		f.load.apply,
		f.security.apply,
		f.models.apply,
	} {
		if err := apply(&c); err != nil {
			return config{}, err
		}
	}
	f.runtime.log = c.log
	f.runtime.settleCache(func(text string) { c.log.Warn(text) })
	c.open = a.open(f.runtime)
	return c, nil
}

func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s is in use, perhaps by another server; stop that one or choose another address", flag, address)
	case err != nil:
		return nil, fmt.Errorf("%s %s cannot be listened on: %w", flag, address, err)
	}
	return l, nil
}

// runServer is "explaind serve" once its flags are read. It takes the listeners over; probes may be nil. It returns nil
// after a stop that ctx asked for, and an error when none of the models could be loaded.
func runServer(ctx context.Context, c config, rpc, probes net.Listener) error {
	s, err := newServer(c)
	if err != nil {
		return err
	}
	c.log.Info("listening", "grpc", address(rpc), "http", address(probes))
	web := &http.Server{Handler: s.grpc.Health().Probes(), ReadHeaderTimeout: 10 * time.Second}
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
	group.Go(func() error {
		err := s.ready(ctx)
		if ctx.Err() != nil { // stopped while loading
			return nil
		}
		if err != nil {
			return err
		}
		up, down := s.census()
		c.log.Info("ready", "grpc", address(rpc), "http", address(probes), "models", up, "failed", down)
		return nil
	})
	return group.Wait()
}

func address(l net.Listener) string {
	if l == nil {
		return "none"
	}
	return l.Addr().String()
}

// census names the models that answer and those that do not.
func (s *server) census() (up, down string) {
	var ready, failed []string
	for _, m := range s.models.List() {
		if m.Ready() {
			ready = append(ready, m.Name)
		} else {
			failed = append(failed, m.Name)
		}
	}
	return orNone(ready), orNone(failed)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
