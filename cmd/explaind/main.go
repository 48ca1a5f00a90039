// Command explaind serves TensorFlow image classifiers over gRPC, and asks such a server, or the models themselves, what
// is in a picture and which pixels say so.
//
// Every command speaks explaind.v1 over gRPC. Without --server the other end is the same server that "explaind serve"
// runs, started within the process and reached through memory: one code path, one set of conversions.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/tfmodel"
)

func main() { os.Exit(run(openTensorFlow)) }

// run is main with a given way to open models.
func run(open func(runtimeFlags) repository.OpenFunc) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the work, the second one the process
	a := &app{open: open, stdout: os.Stdout, stderr: os.Stderr}
	return a.run(ctx, os.Args[1:])
}

func openTensorFlow(r runtimeFlags) repository.OpenFunc {
	options := r.options()
	return func(ctx context.Context, dir string) (explaind.Model, error) {
		m, err := tfmodel.Open(ctx, dir, options...)
		if err != nil {
			return nil, err // not m: a nil *Model would be a Model
		}
		return m, nil
	}
}
