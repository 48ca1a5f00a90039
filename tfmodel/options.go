package tfmodel

import (
	"context"
	"log/slog"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// Option changes how a model is opened.
type Option func(*options)

type options struct {
	cacheDir     string
	intra, inter int
	log          *slog.Logger
	random       *randomisation
	gentle       bool
	anyMemory    bool
	compiler     Compiler
}

// WithCacheDir keeps compiled models in a folder, by digest, so that the next Open of the same model skips the
// compilation. Without it, every Open compiles. The folder takes about the size of the weights per model.
func WithCacheDir(dir string) Option { return func(o *options) { o.cacheDir = dir } }

// WithThreads bounds the threads within one operation and between operations; 0 means one per core. TensorFlow shares
// them between all models of the process: the first model that is opened decides.
func WithThreads(intra, inter int) Option {
	return func(o *options) { o.intra, o.inter = intra, inter }
}

// WithGentleLoading loads on a thread of low priority, so that models that serve already keep their pace.
func WithGentleLoading() Option { return func(o *options) { o.gentle = true } }

// WithAnyMemory loads a model even if it is estimated to need more memory than there is.
func WithAnyMemory() Option { return func(o *options) { o.anyMemory = true } }

// Compiler compiles the SavedModel in dir into the cache folder, as Open does it there, but somewhere else: TensorFlow
// ends the process over some malformed graphs, and compiling takes much memory and time. It may start a process, which has
// the low priority of WithGentleLoading. Errors are as Open's.
type Compiler func(ctx context.Context, dir, cacheDir string) error

// WithCompiler leaves models that are not in the cache to a compiler, and loads what it made. Those of WithRandomWeights
// are compiled here.
func WithCompiler(c Compiler) Option { return func(o *options) { o.compiler = c } }

// WithLogger logs what loading found and how long it took; nothing is logged without it.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithRandomWeights opens the model with weights that say nothing: the values of each variable of floating-point numbers
// change their places within it. What the values are stays, so that variances stay positive and the network in its range;
// what was learned is lost. The same seed gives the same weights. Such a model is compiled anew each time: the cache of
// WithCacheDir is neither read nor written.
//
// It serves to tell whether an explanation depends on the model at all: Adebayo et al., Sanity Checks for Saliency Maps,
// NeurIPS 2018, who draw new weights instead. Open fails with NO_VARIABLES, a FailedPrecondition, if the weights that are
// meant are constants of the SavedModel's graph.
func WithRandomWeights(seed uint64, which RandomWeights) Option {
	return func(o *options) { o.random = &randomisation{seed, which} }
}

func newOptions(list []Option) options {
	o := options{log: slog.New(slog.DiscardHandler)}
	for _, set := range list {
		set(&o)
	}
	return o
}

// sessionOptions configures a TensorFlow session. Without optimising, the first run of a new set of fetches is cheap and
// the later ones are slower.
func sessionOptions(intra, inter int, optimise bool) *tf.SessionOptions {
	config := &corepb.ConfigProto{
		IntraOpParallelismThreads: int32(intra), InterOpParallelismThreads: int32(inter),
		// Both keep TensorFlow from storing the graph, with its constants, once more.
		Experimental: &corepb.ConfigProto_Experimental{OptimizeForStaticGraph: true, DisableOutputPartitionGraphs: true},
	}
	if !optimise {
		config.GraphOptions = &corepb.GraphOptions{RewriteOptions: &corepb.RewriterConfig{DisableMetaOptimizer: true}}
	}
	data, err := proto.Marshal(config)
	if err != nil { // a message of two numbers and a flag
		panic(err)
	}
	return &tf.SessionOptions{Config: data}
}
