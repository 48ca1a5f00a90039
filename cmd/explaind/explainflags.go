package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// explainFlags are what explain and compare have in common: what to explain, and how it looks.
type explainFlags struct {
	model   modelFlags
	methods []string
	layers  []string
	classes []string
	topK    int32
	ranks   []int
	versus  string
	alpha   float32
	json    bool

	options      optionFlags
	faithfulness bool

	score, resolution, interpolation, colormap word
	versusGiven                                bool
}

func (f *explainFlags) register(cmd *cobra.Command) {
	f.model.register(cmd.Flags())
	flags := cmd.Flags()
	registerLayers(flags, &f.layers)
	flags.StringArrayVarP(&f.classes, "class", "c", nil, "`CLASS` to explain, by index or label; may be repeated, and adds to --top-k and --rank (default: the most probable one)")
	flags.Int32VarP(&f.topK, "top-k", "k", 0, "explain this `NUMBER` of the most probable classes")
	flags.IntSliceVar(&f.ranks, "rank", nil, "explain the class of this `RANK`: 1 the most probable, 2 the runner-up, …; separated by commas")
	flags.StringVar(&f.versus, "versus", "", "explain why the class rather than this `CLASS`, by index or label")
	f.score.registerScore(cmd)
	f.resolution = word{prefix: "RESOLUTION_", values: pb.Resolution_value}
	f.resolution.register(cmd, "resolution", "size of the maps: the layer's, the model input's or the picture's (default: input)")
	f.interpolation.registerInterpolation(cmd)
	f.colormap = word{prefix: "COLORMAP_", values: pb.Colormap_value}
	f.colormap.register(cmd, "colormap", "colours of the maps (default: jet)")
	flags.Float32Var(&f.alpha, "alpha", 0.5, "`WEIGHT` of the map in overlays, from 0 to 1")
	flags.BoolVar(&f.faithfulness, "faithfulness", false, "measure how faithful each map is: some fifty passes more for each")
	flags.BoolVar(&f.json, "json", false, "print one JSON object per image")
	f.options.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("top-k", "rank")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) { f.versusGiven = cmd.Flags().Changed("versus") }
}

// registerLayers, registerMethods and the words below are what evaluate has too.
func registerLayers(flags *pflag.FlagSet, layers *[]string) {
	flags.StringSliceVar(layers, "layer", nil, "`LAYERS`, separated by commas; see 'explaind layers' (default: the model's last one)")
}

func registerMethods(cmd *cobra.Command, methods *[]string, fallback string) {
	cmd.Flags().StringSliceVar(methods, "method", nil, "`METHODS`, separated by commas (default: "+fallback+"); 'explaind layers' tells which fit a model:\n"+
		inLines(methodChoices(), mostHelpColumns))
	cmd.RegisterFlagCompletionFunc("method", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return methodChoices(), cobra.ShellCompDirectiveNoFileComp
	})
}

// mostHelpColumns is how wide the list of methods is in the help.
const mostHelpColumns = 76

// inLines puts commas between the words, and begins a new line before one that would be too wide.
func inLines(words []string, columns int) string {
	var text strings.Builder
	width := 0
	for i, word := range words {
		if i < len(words)-1 {
			word += ","
		}
		switch {
		case i == 0:
		case width+1+len(word) > columns:
			text.WriteByte('\n')
			width = 0
		default:
			text.WriteByte(' ')
			width++
		}
		text.WriteString(word)
		width += len(word)
	}
	return text.String()
}

func (w *word) registerScore(cmd *cobra.Command) {
	*w = word{prefix: "SCORE_", values: pb.Score_value}
	w.register(cmd, "score", "number whose change the gradients measure (default: logit)")
}

func (w *word) registerInterpolation(cmd *cobra.Command) {
	*w = word{prefix: "INTERPOLATION_", values: pb.Interpolation_value}
	w.register(cmd, "interpolation", "how maps grow from the layer's size (default: bilinear)")
}

// config is the request. A --top-k beyond the model's classes means all of them.
func (f *explainFlags) config(m *pb.GetModelResponse) (*pb.ExplainConfig, error) {
	methods, err := parseMethods(f.methods)
	if err != nil {
		return nil, err
	}
	spec := specOf(m)
	targets, err := f.targets(m.GetHead().GetClasses(), spec)
	if err != nil {
		return nil, err
	}
	return &pb.ExplainConfig{
		Methods: once(methods, itself[pb.Method]), Layers: once(f.layers, layerKey(spec)), Targets: targets, Score: pb.Score(f.score.number),
		TopK: max(f.topK, 5), Options: f.options.message(), Faithfulness: f.faithfulness,
		Rendering: &pb.Rendering{
			Resolution: pb.Resolution(f.resolution.number), Interpolation: pb.Interpolation(f.interpolation.number),
			Colormap: pb.Colormap(f.colormap.number), Alpha: proto.Float32(f.alpha),
		},
	}, nil
}

// targets are the ranks, then the classes; without either, the most probable class.
func (f *explainFlags) targets(classes int32, spec *explaind.Spec) ([]*pb.Target, error) {
	if f.topK < 0 {
		return nil, errors.New("--top-k must be at least 1")
	}
	var targets []*pb.Target
	for _, rank := range once(f.ranks, itself[int]) {
		if rank < 1 || rank > int(classes) {
			return nil, fmt.Errorf("--rank: %d is asked for; the model has %d classes, and 1 is the most probable one", rank, classes)
		}
		targets = append(targets, &pb.Target{Kind: &pb.Target_Rank{Rank: int32(rank)}})
	}
	for rank := range min(f.topK, classes) {
		targets = append(targets, &pb.Target{Kind: &pb.Target_Rank{Rank: rank + 1}})
	}
	for _, class := range once(f.classes, classKey(spec)) {
		targets = append(targets, classTarget(class))
	}
	if len(targets) == 0 {
		targets = append(targets, &pb.Target{Kind: &pb.Target_Rank{Rank: 1}})
	}
	if f.versusGiven {
		versus, err := classIndex(f.versus, spec)
		if err != nil {
			return nil, fmt.Errorf("--versus: %w", err)
		}
		for _, t := range targets {
			t.VersusClassIndex = proto.Int32(versus)
		}
	}
	return targets, nil
}

// classTarget takes a number as an index and all else as a label.
func classTarget(class string) *pb.Target {
	if index, err := strconv.ParseInt(class, 10, 32); err == nil {
		return &pb.Target{Kind: &pb.Target_ClassIndex{ClassIndex: int32(index)}}
	}
	return &pb.Target{Kind: &pb.Target_Label{Label: class}}
}
