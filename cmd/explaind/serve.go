package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/service"
)

// maxMessageMiB is the largest Protocol Buffers message, 2 GiB less one byte, in whole MiB.
const maxMessageMiB = 2047

// serveFlags are the flags of "explaind serve".
type serveFlags struct {
	runtime             runtimeFlags
	folders, named      []string
	grpc, http          string
	maxImage, maxMsg    uint // MiB
	maxPixels, inFlight uint
	grace               time.Duration
	logFormat, logLevel string
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
	flags.StringArrayVar(&f.folders, "models", nil, "`DIR` that holds models, or is one; may be repeated")
	flags.StringArrayVar(&f.named, "model", nil, "`NAME=DIR`: one model under a name of its own; may be repeated")
	flags.StringVar(&f.grpc, "grpc", "127.0.0.1:8500", "`HOST:PORT` of gRPC")
	flags.StringVar(&f.http, "http", "127.0.0.1:8501", "`HOST:PORT` of /livez and /readyz; \"\" for none")
	f.runtime.register(flags)
	flags.UintVar(&f.maxImage, "max-image-mb", 64, "largest image file, in `MiB`")
	flags.UintVar(&f.maxMsg, "max-message-mb", 64, "largest gRPC message, in `MiB`")
	flags.UintVar(&f.maxPixels, "max-pixels", 64_000_000, "largest picture, in `PIXELS`")
	flags.UintVar(&f.inFlight, "max-in-flight", 0, "`NUMBER` of images worked on at once, the rest wait; 0 for one per core")
	flags.DurationVar(&f.grace, "grace", 30*time.Second, "how long calls may go on after the stop began")
	flags.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log, text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
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
func (a *app) serveConfig(f serveFlags) (config, error) {
	var c config
	for _, n := range []struct {
		flag  string
		value uint
	}{
		{"--max-image-mb", f.maxImage}, {"--max-message-mb", f.maxMsg}, {"--max-pixels", f.maxPixels},
	} {
		if n.value == 0 {
			return c, fmt.Errorf("%s must be at least 1", n.flag)
		}
	}
	if f.maxMsg > maxMessageMiB {
		return c, fmt.Errorf("--max-message-mb must be at most %d: Protocol Buffers end there", maxMessageMiB)
	}
	log, err := a.logger(f.logFormat, f.logLevel)
	if err != nil {
		return c, err
	}
	sources, err := findSources(f.folders, f.named)
	if err != nil {
		return c, err
	}
	f.runtime.log = log
	f.runtime.settleCache(func(text string) { log.Warn(text) })
	return config{
		sources: sources,
		open:    a.open(f.runtime),
		limits: service.Options{
			Images:      imaging.Limits{MaxBytes: int(f.maxImage) << 20, MaxPixels: int(f.maxPixels)},
			MaxInFlight: int(f.inFlight),
		},
		maxMessageBytes: int(f.maxMsg) << 20,
		grace:           f.grace,
		log:             log,
	}, nil
}

func findSources(folders, named []string) ([]repository.Source, error) {
	var sources []repository.Source
	for _, dir := range folders {
		found, err := repository.Scan(dir)
		if err != nil {
			return nil, fmt.Errorf("--models %s: %w", dir, err)
		}
		sources = append(sources, found...)
	}
	for _, s := range named {
		source, err := repository.ParseSource(s)
		if err != nil {
			return nil, fmt.Errorf("--model %s: %w", s, err)
		}
		sources = append(sources, source)
	}
	if len(sources) == 0 {
		return nil, errors.New("there is no model to serve; name a folder by --models DIR, or one model by --model NAME=DIR")
	}
	return sources, nil
}

func (a *app) logger(format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is not known; choose among debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, options)), nil
	default:
		return nil, fmt.Errorf("--log-format %q is not known; choose text or json", format)
	}
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
