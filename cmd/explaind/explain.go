package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// explainLine is what explain --json and compare --json print for an image. Paths are those of the files written.
type explainLine struct {
	Image        string            `json:"image"`
	Model        modelJSON         `json:"model"`
	Predictions  []scoreJSON       `json:"predictions"`
	Explanations []explanationJSON `json:"explanations"`
	Figure       string            `json:"figure,omitempty"`
	Timing       timingJSON        `json:"timing"`
}

type explanationJSON struct {
	Method      string `json:"method"`
	Layer       string `json:"layer"` // "input" for methods that look at none
	ofInput     bool
	Target      scoreJSON `json:"target"`
	Versus      *int32    `json:"versus_class_index,omitempty"`
	VersusLabel string    `json:"versus_label,omitempty"`
	Height      int32     `json:"height"`
	Width       int32     `json:"width"`
	RawMin      number    `json:"raw_min"`
	RawMax      number    `json:"raw_max"`
	Flags       []string  `json:"flags"`

	ScoreChange     *number           `json:"score_change,omitempty"` // of integrated_gradients
	CompletenessGap *number           `json:"completeness_gap,omitempty"`
	Faithfulness    *faithfulnessJSON `json:"faithfulness,omitempty"`

	Overlay string `json:"overlay,omitempty"`
	Values  string `json:"values,omitempty"`
}

// explainCommandFlags are the flags of "explaind explain".
type explainCommandFlags struct {
	explainFlags
	out            string
	figure, values bool
}

func (a *app) explainCommand() *cobra.Command {
	var f explainCommandFlags
	cmd := &cobra.Command{
		Use:   "explain IMAGE...",
		Short: "Show which pixels speak for a class",
		Long: `Writes, for every method, layer and class asked for, the picture with a heatmap over it: red is where
the pixels speak most for the class. The files are named IMAGE.LAYER.METHOD.CLASS.png, those of methods
that look at the input instead of a layer IMAGE.METHOD.CLASS.png; files of that name are overwritten.

IMAGE is a file (JPEG, PNG, GIF, WebP, BMP), a folder, of which the image files in it are taken, or a
pattern such as 'photos/*.jpg'. With --json every image is one line, a JSON object with the range of
each map before it was normalised, its flags and its files; images that failed have an "error".`,
		Example: `  explaind explain cat.jpg --model models/resnet50
  explaind explain photos/ --model models/vgg16 --method grad_cam,grad_cam_plus_plus --layer block5_conv3 --top-k 3 --out maps
  explaind explain kite.jpg --model models/resnet50 --class parachute --class kite --figure
  explaind explain cat.jpg --model models/resnet50 --class 282 --versus "tabby cat" --values --json`,
		Args: someImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), f, args)
		},
	}
	f.register(cmd)
	registerMethods(cmd, &f.methods, "grad_cam")
	cmd.Flags().StringVarP(&f.out, "out", "o", ".", "`DIR` for the files; \"\" writes none")
	cmd.Flags().BoolVar(&f.figure, "figure", false, "write one figure per image too: the picture and all overlays side by side")
	cmd.Flags().BoolVar(&f.values, "values", false, "write the values of each map too, as .npy (float32, its largest value 1)")
	return cmd
}

func (a *app) explain(ctx context.Context, f explainCommandFlags, args []string) error {
	if f.out == "" && (f.figure || f.values) {
		return fmt.Errorf("--figure and --values write files; give a folder by --out")
	}
	pictures, failed := findPictures(args)
	r := a.newReport(len(pictures), failed, f.json)
	if len(pictures) == 0 {
		return errNoImages
	}
	if f.out != "" {
		if err := makeFolder("--out", f.out); err != nil {
			return err
		}
	}
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
	config.Rendering.OverlayPng, config.Rendering.ComparisonPng, config.Rendering.Values = f.out != "", f.figure, f.values
	err = c.explainAll(ctx, config, pictures, r, func(p picture, answer *pb.ExplainResponse) error {
		line := c.newExplainLine(p, answer, config)
		if f.out != "" {
			if err := (files{f.out, p.stem}).write(answer, line); err != nil {
				return err
			}
		}
		return r.printExplained(line)
	})
	if err != nil {
		return err
	}
	return r.result()
}

// newExplainLine is the answer without its files.
func (c *client) newExplainLine(p picture, answer *pb.ExplainResponse, config *pb.ExplainConfig) *explainLine {
	line := &explainLine{Image: p.path, Model: jsonModel(answer.GetModel()), Predictions: jsonScores(answer.GetPredictions()),
		Explanations: []explanationJSON{}, Timing: jsonTiming(answer.GetTiming())}
	for _, x := range answer.GetExplanations() {
		e := explanationJSON{
			Method: methodName(x.GetMethod()), Layer: c.layerOf(x), ofInput: c.ofInput(x), Target: jsonScore(x.GetTarget()),
			Versus: config.GetTargets()[0].VersusClassIndex, // the same for all
			Height: x.GetHeatmap().GetHeight(), Width: x.GetHeatmap().GetWidth(),
			RawMin: number(x.GetHeatmap().GetRawMin()), RawMax: number(x.GetHeatmap().GetRawMax()), Flags: flagNames(x),
			ScoreChange: optional(x.ScoreChange), CompletenessGap: optional(x.CompletenessGap),
			Faithfulness: jsonFaithfulness(x.GetFaithfulness()),
		}
		if labels := c.model.GetLabels(); e.Versus != nil && int(*e.Versus) < len(labels) {
			e.VersusLabel = labels[*e.Versus]
		}
		line.Explanations = append(line.Explanations, e)
	}
	return line
}

func flagNames(x *pb.Explanation) []string {
	names := []string{}
	for _, flag := range x.GetFlags() {
		names = append(names, lower("FLAG_", flag))
	}
	return names
}

func optional(v *float32) *number { return (*number)(v) }

// printExplained prints the picture with its most probable classes, then one explanation a line, and below it how faithful
// it is if that was measured.
func (r *report) printExplained(line *explainLine) error {
	if r.json {
		return r.printJSON(line)
	}
	var best []string
	for _, s := range line.Predictions[:min(len(line.Predictions), 3)] {
		best = append(best, s.title())
	}
	var rows [][]string
	for _, e := range line.Explanations {
		class := e.Target.title()
		if e.Versus != nil {
			class += " versus " + className(*e.Versus, e.VersusLabel)
		}
		rows = append(rows, []string{" ", e.Method, printable(e.Layer), class, strings.Join(e.Flags, ","), printable(e.Overlay)})
	}
	var explanations strings.Builder
	i := 0
	for row := range strings.Lines(table(rows)) {
		explanations.WriteString(row)
		if f := line.Explanations[i].Faithfulness; f != nil {
			explanations.WriteString("     " + f.String() + "\n")
		}
		i++
	}
	figure := ""
	if line.Figure != "" {
		figure = fmt.Sprintf("   %s\n", printable(line.Figure))
	}
	return r.print("%s: %s\n%s%s", printable(line.Image), strings.Join(best, ", "), explanations.String(), figure)
}
