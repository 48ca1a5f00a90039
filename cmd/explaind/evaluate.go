package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// evaluateFlags are the flags of "explaind evaluate".
type evaluateFlags struct {
	model                modelFlags
	methods, layers      []string
	class                string
	score, interpolation word
	options              optionFlags
	limit                int
	csv, plot            string
	json, sanity         bool
}

func (a *app) evaluateCommand() *cobra.Command {
	var f evaluateFlags
	cmd := &cobra.Command{
		Use:   "evaluate IMAGE...",
		Short: "Score methods by how faithful their maps are",
		Long: `Explains every image by every method, measures how much the model's answer depends on what each map
says is relevant, and prints the averages, one method a line. The class is the most probable one of each
image unless --class names another. IMAGE is a file, a folder or a pattern, as for explain.

DROP, INCREASE and GAIN compare the probability of the class with that for the image times the map.
DELETION sets pixels to 0 in the model's own units, INSERTION puts them into the blurred image, both the
most relevant first; ROAD fills in the most and the least relevant pixels from their neighbours. WIN is the
share of images on which the method has the smallest drop of all; with more than two methods, BEATS FIRST
is the share on which its drop is smaller than that of the method in the first line.

--sanity opens the model twice more, with the weights of its last layer in random order, and with all of
them, and compares the maps: the more alike they stay, the less they tell of what the model has learned.`,
		Example: `  explaind evaluate photos/ --model models/resnet50 --method grad_cam,grad_cam_plus_plus
  explaind evaluate photos/ --model models/resnet50 --method grad_cam,score_cam,rise --limit 100 --csv scores.csv --plot scores.png
  explaind evaluate photos/ --model models/resnet50 --method grad_cam,guided_backprop --sanity`,
		Args: someImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.evaluate(cmd.Context(), f, args)
		},
	}
	f.model.register(cmd.Flags())
	registerMethods(cmd, &f.methods, usualMethodsText)
	flags := cmd.Flags()
	registerLayers(flags, &f.layers)
	flags.StringVarP(&f.class, "class", "c", "", "`CLASS` to explain in all images, by index or label (default: the most probable one of each)")
	f.score.registerScore(cmd)
	f.interpolation.registerInterpolation(cmd)
	flags.IntVar(&f.limit, "limit", 0, "take the first `NUMBER` of images only; 0 for all")
	flags.StringVar(&f.csv, "csv", "", "`FILE` for the numbers of each image and method, overwritten if it is there")
	flags.StringVar(&f.plot, "plot", "", "`FILE` for a bar chart of the averages, overwritten if it is there")
	flags.BoolVar(&f.sanity, "sanity", false, "compare the maps with those of the model with random weights too; not with --server")
	flags.BoolVar(&f.json, "json", false, "print one JSON object per method")
	f.options.register(cmd)
	return cmd
}

func (a *app) evaluate(ctx context.Context, f evaluateFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	pictures, failed := findPictures(args)
	if f.limit > 0 {
		pictures = pictures[:min(len(pictures), f.limit)]
	}
	r := a.newReport(len(pictures), failed, f.json)
	if len(pictures) == 0 {
		return errNoImages
	}
	file, err := openCSV(f.csv, f.sanity)
	if err != nil {
		return err
	}
	defer file.close()
	if err := checkPlot(f.plot, file); err != nil {
		return err
	}
	ctx, cancel := f.model.withTimeout(ctx) // of all models together
	defer cancel()
	ctx, c, err := a.connect(ctx, f.model)
	if err != nil {
		return err
	}
	defer c.close()
	a.warnOf(c.model)
	config, err := f.config(c.model)
	if err != nil {
		return err
	}
	a.warnOfOptions(&f.options, config)
	e := &evaluation{model: c.model.GetModel(), class: f.class}
	if f.sanity {
		if e.sanity, err = a.newSanity(ctx, f.model, f.options.seed); err != nil {
			return err
		}
		defer e.sanity.close()
	}
	err = c.explainAll(ctx, config, pictures, r, func(p picture, answer *pb.ExplainResponse) error {
		scores, err := c.scoresOf(ctx, p, answer, config, e.sanity)
		if err != nil {
			return err
		}
		e.add(scores)
		return file.write(p, scores)
	})
	if err != nil {
		return err
	}
	if err := f.tell(r, e); err != nil {
		return unfinished{err}
	}
	return r.result()
}

// tell prints and draws what came of the images, if anything did.
func (f *evaluateFlags) tell(r *report, e *evaluation) error {
	r.bar.hide()
	if e.images == 0 {
		return nil
	}
	if err := r.printEvaluation(e); err != nil {
		return err
	}
	if f.plot == "" {
		return nil
	}
	return e.plot(f.plot)
}

// check refuses what need not wait for a model.
func (f *evaluateFlags) check() error {
	switch {
	case f.limit < 0:
		return errors.New("--limit must be at least 1, or 0 for all images")
	case f.sanity && f.model.server != "":
		return errors.New("--sanity opens the model with random weights, which a server does not do; leave --server out and give the folder of the model by --model")
	case f.plot != "" && !strings.EqualFold(filepath.Ext(f.plot), ".png"):
		return fmt.Errorf("--plot %s: charts are PNG files; give it a name that ends in .png", f.plot)
	}
	for _, file := range []struct{ flag, path string }{{"--csv", f.csv}, {"--plot", f.plot}} {
		switch {
		case file.path == "":
		case isFolder(file.path):
			return fmt.Errorf("%s %s is a folder; give the name of a file", file.flag, file.path)
		default:
			if err := makeFolder(file.flag, filepath.Dir(file.path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// config asks for the maps at the size that they were made at, which the sanity check compares; those of a fusion have
// none of their own.
func (f *evaluateFlags) config(m *pb.GetModelResponse) (*pb.ExplainConfig, error) {
	methods, err := parseMethods(f.methods)
	if err != nil {
		return nil, err
	}
	if len(methods) == 0 {
		if methods, err = usualMethods(f.layers, m); err != nil {
			return nil, err
		}
	}
	target := &pb.Target{Kind: &pb.Target_Rank{Rank: 1}}
	if f.class != "" {
		target = classTarget(f.class)
	}
	resolution := pb.Resolution_RESOLUTION_LAYER
	if f.options.fusion.number != 0 {
		resolution = pb.Resolution_RESOLUTION_INPUT
	}
	return &pb.ExplainConfig{
		Methods: once(methods, itself[pb.Method]), Layers: once(f.layers, layerKey(specOf(m))), Targets: []*pb.Target{target},
		Score: pb.Score(f.score.number), Options: f.options.message(), Faithfulness: true,
		Rendering: &pb.Rendering{Values: true, Resolution: resolution, Interpolation: pb.Interpolation(f.interpolation.number)},
	}, nil
}

// mapScores is all that is known about one map.
type mapScores struct {
	method, layer string
	target        scoreJSON
	faithfulness  faithfulnessJSON
	flags         []string
	likeness      likeness
}

// scoresOf reads the scores of one image's maps out of its answer, and compares the maps with those of the models with
// random weights if there are any.
func (c *client) scoresOf(ctx context.Context, p picture, answer *pb.ExplainResponse, config *pb.ExplainConfig, random *sanity) ([]mapScores, error) {
	list := answer.GetExplanations()
	scores := make([]mapScores, len(list))
	for i, x := range list {
		f := jsonFaithfulness(x.GetFaithfulness())
		if f == nil && slices.Contains(x.GetFlags(), pb.Flag_FLAG_NON_FINITE) {
			return nil, fmt.Errorf("the map of %s cannot be measured: a probability of %s is NaN or infinite, for this image or with parts of it taken away",
				methodName(x.GetMethod()), className(x.GetTarget().GetClassIndex(), x.GetTarget().GetLabel()))
		}
		if f == nil {
			return nil, errors.New("the server did not measure how faithful the maps are; is it of this version?")
		}
		scores[i] = mapScores{methodName(x.GetMethod()), c.layerOf(x), jsonScore(x.GetTarget()), *f, flagNames(x), likeness{}}
	}
	if random == nil || len(list) == 0 {
		return scores, nil
	}
	alone := proto.CloneOf(config)
	alone.Faithfulness = false
	alone.Targets = []*pb.Target{{Kind: &pb.Target_ClassIndex{ClassIndex: list[0].GetTarget().GetClassIndex()}}}
	likenesses, err := random.compare(ctx, p, alone, list)
	if err != nil {
		return nil, err
	}
	for i := range scores {
		scores[i].likeness = likenesses[i]
	}
	return scores, nil
}
