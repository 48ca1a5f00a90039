package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/repository"
	"github.com/explaind/explaind/tfmodel"
)

// app is what the commands need from the process.
type app struct {
	open           func(runtimeFlags) repository.OpenFunc
	stdout, stderr io.Writer
}

// runtimeFlags say how models run in this process.
type runtimeFlags struct {
	cache       string
	threads     uint
	memoryCheck bool
	log         *slog.Logger

	serving bool // models that serve already must not suffer from those that load

	random tfmodel.RandomWeights // 0 for the weights as they were trained
	seed   uint64                // of their order

	flags *pflag.FlagSet // tells whether --cache was given
}

func (r *runtimeFlags) register(f *pflag.FlagSet) {
	r.flags = f
	f.StringVar(&r.cache, "cache", defaultCache(), "`DIR` that keeps compiled models, so that they open faster the next time; \"\" for none")
	f.UintVar(&r.threads, "threads", 0, "`NUMBER` of threads that compute one operation; 0 for one per core")
	f.BoolVar(&r.memoryCheck, "memory-check", true, "refuse models that are estimated to need more memory than there is")
}

// mostThreads is more than any machine has cores. TensorFlow starts that many threads at once, and ends the process if the
// system does not let it.
const mostThreads = 1024

func (r *runtimeFlags) check() error {
	if r.threads > mostThreads {
		return fmt.Errorf("--threads must be at most %d", mostThreads)
	}
	return nil
}

// options are what the flags mean to TensorFlow.
func (r *runtimeFlags) options() []tfmodel.Option {
	list := []tfmodel.Option{tfmodel.WithCacheDir(r.cache), tfmodel.WithThreads(int(r.threads), 0), tfmodel.WithLogger(r.log)}
	if r.random != 0 {
		list = append(list, tfmodel.WithRandomWeights(r.seed, r.random))
	}
	if !r.memoryCheck {
		list = append(list, tfmodel.WithAnyMemory())
	}
	if r.serving {
		list = append(list, tfmodel.WithGentleLoading(), tfmodel.WithCompiler(compileApart(*r)))
	}
	return list
}

// defaultCache is none where the user has no cache folder, as in some containers.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "explaind")
}

// settleCache goes on without a cache, and warns once, where the folder that nobody chose cannot be written, as for a user
// whose home is read-only. A folder that was chosen is left to the model, which fails if it cannot be written.
func (r *runtimeFlags) settleCache(warn func(text string)) {
	if r.cache == "" || r.flags.Changed("cache") {
		return
	}
	err := os.MkdirAll(r.cache, 0o777)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(r.cache, ".probe-*"); err == nil {
			probe.Close()
			os.Remove(probe.Name())
		}
	}
	if err != nil {
		warn(fmt.Sprintf(`the cache folder %s cannot be written, models are compiled anew each time; choose one with --cache DIR or none with --cache ""`, r.cache))
		r.cache = ""
	}
}

// warn tells what a person may want to know, without ending anything.
func (a *app) warn(text string) { fmt.Fprintln(a.stderr, "warning:", printable(text)) }

// warnOf tells what was noticed about a model when it was loaded.
func (a *app) warnOf(m *pb.GetModelResponse) {
	for _, text := range m.GetWarnings() {
		a.warn(text)
	}
}

// run executes one command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return a.exit(ctx, reworded(cmd, err))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "explaind",
		Short: "Tells what is in a picture, and which pixels say so",
		Long: `explaind runs any TensorFlow SavedModel image classifier, unchanged, and explains its answers by
CAM, Grad-CAM, Grad-CAM++ and their relatives, by gradients of the image, and by covering parts of it.

Without --server, a command runs the model itself. With --server, it asks a server that was started
by "explaind serve".

Exit status: 0 all good, 1 some images failed, 2 could not start.`,
		Example: `  explaind predict cat.jpg --model models/resnet50
  explaind explain photos/ --model models/resnet50 --method grad_cam,grad_cam_plus_plus --out maps
  explaind compare cat.jpg --model models/resnet50 --out figure.png
  explaind evaluate photos/ --model models/resnet50 --method grad_cam,rise --csv scores.csv
  explaind serve --models models`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(a.serveCommand(), a.predictCommand(), a.explainCommand(), a.compareCommand(), a.evaluateCommand(),
		a.layersCommand(), a.compileCommand(), a.modelsCommand(), a.adminCommand(), a.configCommand(), a.versionCommand())
	return root
}
