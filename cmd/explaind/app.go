package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/explaind/explaind/repository"
)

// app is what the commands need from the process.
type app struct {
	open           func(runtimeFlags) repository.OpenFunc
	stdout, stderr io.Writer
}

// runtimeFlags say how models run in this process.
type runtimeFlags struct {
	cache   string
	threads uint
	log     *slog.Logger
}

func (r *runtimeFlags) register(f *pflag.FlagSet) {
	f.StringVar(&r.cache, "cache", defaultCache(), "`DIR` that keeps compiled models, so that they open faster the next time; \"\" for none")
	f.UintVar(&r.threads, "threads", 0, "`NUMBER` of threads that compute one operation; 0 for one per core")
}

// defaultCache is none where the user has no cache folder, as in some containers.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "explaind")
}

// run executes one command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return a.exit(ctx, root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "explaind",
		Short: "Tells what is in a picture, and which pixels say so",
		Long: `explaind runs any TensorFlow SavedModel image classifier, unchanged, and explains its answers by
CAM, Grad-CAM, Grad-CAM++ and their relatives.

Without --server, a command runs the model itself. With --server, it asks a server that was started
by "explaind serve".

Exit status: 0 all good, 1 some images failed, 2 could not start.`,
		Example: `  explaind predict cat.jpg --model models/resnet50
  explaind explain photos/ --model models/resnet50 --method grad_cam,grad_cam_plus_plus --out maps
  explaind compare cat.jpg --model models/resnet50 --out figure.png
  explaind serve --models models`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{cmd, err}
	})
	root.AddCommand(a.serveCommand(), a.predictCommand(), a.explainCommand(), a.compareCommand(),
		a.layersCommand(), a.modelsCommand(), a.versionCommand())
	return root
}
