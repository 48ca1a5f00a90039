package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/repository"
)

// maxImageBytes is the largest file that is sent: a server's largest message, as explaind sets it by default, less room
// for what stands around the image. A larger message would end the stream for the other images too.
const maxImageBytes = 64<<20 - 64<<10

// hangUpTimeout is what a server in this process has to stop: nobody but the command itself waits for its answers, and a
// run of a model cannot be interrupted.
const hangUpTimeout = 2 * time.Second

// Connections that die without a word are noticed after about pingInterval + pingTimeout.
const (
	pingInterval = 30 * time.Second
	pingTimeout  = 20 * time.Second
)

// modelFlags say which model answers, and where it runs.
type modelFlags struct {
	model, server string
	access        accessFlags
	runtime       runtimeFlags
	timeout       time.Duration
	verbose       bool
}

func (f *modelFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.model, "model", "m", "", "`DIR` of a SavedModel, or NAME=DIR; with --server the model's NAME, which may be left out if there is only one")
	f.registerServer(flags, "ask the server at `HOST:PORT`; without it the model runs in this process")
	f.runtime.register(flags)
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what the model does in this process")
}

func (f *modelFlags) registerServer(flags *pflag.FlagSet, usage string) {
	flags.StringVarP(&f.server, "server", "s", "", usage)
	f.access.register(flags)
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this time; 0 for never")
}

// client speaks to a server, far or in this process, about one model.
type client struct {
	pb.ExplainServiceClient
	model *pb.GetModelResponse
	close func()
}

// connect finds the model that the flags name. The context that comes back ends with the flags' timeout and, as all of
// the client's, with close.
func (a *app) connect(ctx context.Context, f modelFlags) (context.Context, *client, error) {
	ctx, cancel := f.withTimeout(ctx)
	name, connection, hangUp, err := a.reach(ctx, f)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	c := &client{ExplainServiceClient: pb.NewExplainServiceClient(connection), close: func() { hangUp(); cancel() }}
	if c.model, err = a.getModel(ctx, c, name); err != nil {
		c.close()
		return nil, nil, err
	}
	return ctx, c, nil
}

func (f *modelFlags) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout > 0 {
		return context.WithTimeout(ctx, f.timeout)
	}
	return context.WithCancel(ctx)
}

// reach opens the connection, and tells the model's name at its other end.
func (a *app) reach(ctx context.Context, f modelFlags) (name string, connection *grpc.ClientConn, hangUp func(), err error) {
	if f.server != "" {
		connection, err := f.dialServer()
		if err != nil {
			return "", nil, nil, err
		}
		return f.model, connection, func() { connection.Close() }, nil
	}
	if err := f.access.checkUnused(); err != nil {
		return "", nil, nil, err
	}
	source, err := modelSource(f.model)
	if err != nil {
		return "", nil, nil, err
	}
	connection, hangUp, err = a.startHere(ctx, f, source)
	return source.Name, connection, hangUp, err
}

// dial prepares a connection; it is made by the first call. The options hold its credentials.
func dial(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	connection, err := grpc.NewClient(address, append(options,
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingInterval, Timeout: pingTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	)...)
	if err != nil {
		return nil, badServer(address)
	}
	return connection, nil
}

// dialServer is dial to the server of --server. gRPC would take other forms of address, and wait long for nobody.
func (f *modelFlags) dialServer() (*grpc.ClientConn, error) {
	if !isServer(f.server) {
		return nil, badServer(f.server)
	}
	options, err := f.access.options(f.server)
	if err != nil {
		return nil, err
	}
	return dial(f.server, options...)
}

func isServer(address string) bool {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return path != ""
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number != 0
}

func badServer(address string) error {
	return fmt.Errorf("--server wants HOST:PORT of gRPC, such as 127.0.0.1:8500, got %q", address)
}

// getModel asks for the model, again and again while a server loads it, as long as ctx allows.
func (a *app) getModel(ctx context.Context, c pb.ExplainServiceClient, name string) (*pb.GetModelResponse, error) {
	for told := false; ; told = true {
		m, err := c.GetModel(ctx, &pb.GetModelRequest{Model: name})
		if err == nil {
			return m, nil
		}
		why := failureOf(err)
		if why.Reason != "MODEL_LOADING" {
			return nil, err
		}
		if !told {
			fmt.Fprintln(a.stderr, "the server is still loading the model; waiting for it …")
		}
		select {
		case <-time.After(retryDelay(err)):
		case <-ctx.Done():
			return nil, explaind.Errorf(explaind.Unavailable, why.Reason, "the model was still loading when the time of --timeout had passed; allow more")
		}
	}
}

// retryDelay is when the server wants to be asked again.
func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return time.Second
}

// modelSource finds the one model that --model means when there is no server.
func modelSource(model string) (repository.Source, error) {
	none := repository.Source{}
	if model == "" {
		return none, errors.New("--model is missing; give the folder of a SavedModel, or --server HOST:PORT to ask a server")
	}
	if _, err := os.Stat(model); err != nil && strings.Contains(model, "=") {
		source, err := repository.ParseSource(model)
		return source, inModel(err)
	}
	sources, err := repository.Scan(model)
	switch reason := failureOf(err).Reason; {
	case reason == "FOLDER_NOT_FOUND":
		return none, fmt.Errorf("--model: there is no folder %s; give the folder of a SavedModel, or add --server HOST:PORT to ask a server for a model of that name", model)
	case reason == "BAD_MODEL_NAME":
		return none, fmt.Errorf("--model: %w, or give the model a name of its own by --model NAME=%s", err, model)
	case err != nil:
		return none, inModel(err)
	case len(sources) > 1:
		return none, fmt.Errorf("--model: %s holds %d folders (%s); give one of them", model, len(sources), folderNames(sources))
	}
	return sources[0], nil
}

func inModel(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--model: %w", err)
}

func folderNames(sources []repository.Source) string {
	const most = 8
	var names []string
	for _, s := range sources[:min(len(sources), most)] {
		names = append(names, s.Dir)
	}
	if len(sources) > most {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// startHere starts a server in this process, waits until its model is ready, and connects to it through memory.
func (a *app) startHere(ctx context.Context, f modelFlags, source repository.Source) (*grpc.ClientConn, func(), error) {
	if err := f.runtime.check(); err != nil {
		return nil, nil, err
	}
	f.runtime.log = slog.New(slog.DiscardHandler)
	if f.verbose {
		f.runtime.log = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	f.runtime.settleCache(a.warn)
	s, err := newServer(config{models: repository.Options{Models: []repository.ModelConfig{{Name: source.Name, Path: source.Dir}}}, open: a.open(f.runtime), grace: hangUpTimeout, log: f.runtime.log})
	if err != nil {
		return nil, nil, err
	}
	listener := bufconn.Listen(1 << 20)
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = s.serve(ctx, listener) // its only error is the listener's, which the client sees as well
	}()
	stop := func() {
		cancel()
		select {
		case <-stopped:
		case <-time.After(hangUpTimeout): // the process is about to end anyway
		}
	}

	done := a.note("loading " + source.Name + " …")
	err = s.ready(ctx)
	done()
	if err != nil {
		stop()
		return nil, nil, err
	}
	connection, err := dial("passthrough:///in-process", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
	if err != nil {
		stop()
		return nil, nil, err
	}
	return connection, func() { connection.Close(); stop() }, nil
}
