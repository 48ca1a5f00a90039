package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// predictFlags are the flags of "explaind predict".
type predictFlags struct {
	model modelFlags
	topK  int32
	json  bool
}

// predictLine is what predict --json prints for an image.
type predictLine struct {
	Image       string      `json:"image"`
	Model       modelJSON   `json:"model"`
	Predictions []scoreJSON `json:"predictions"`
	Timing      timingJSON  `json:"timing"`
}

func (a *app) predictCommand() *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict IMAGE...",
		Short: "Tell what is in pictures",
		Long: `Prints the most probable classes of each picture with their probabilities.

IMAGE is a file (JPEG, PNG, GIF, WebP, BMP), a folder, of which the image files in it are taken, or a
pattern such as 'photos/*.jpg'. With --json every image is one line, a JSON object; those that failed
have an "error".`,
		Example: `  explaind predict cat.jpg --model models/resnet50
  explaind predict photos/ --server 127.0.0.1:8500 --model resnet50 --json`,
		Args: someImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.predict(cmd.Context(), f, args)
		},
	}
	f.model.register(cmd.Flags())
	cmd.Flags().Int32VarP(&f.topK, "top-k", "k", 5, "`NUMBER` of classes to print")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object per image")
	return cmd
}

// errNoImages is for command lines whose arguments name no image at all.
var errNoImages = errors.New("there is no image to work on")

func (a *app) predict(ctx context.Context, f predictFlags, args []string) error {
	if f.topK < 1 {
		return errors.New("--top-k must be at least 1")
	}
	pictures, failed := findPictures(args)
	r := a.newReport(len(pictures), failed, f.json)
	if len(pictures) == 0 {
		return errNoImages
	}
	ctx, c, err := a.connect(ctx, f.model)
	if err != nil {
		return err
	}
	defer c.close()
	a.warnOf(c.model)
	err = c.predictAll(ctx, f.topK, pictures, r, func(p picture, answer *pb.PredictResponse) error {
		if f.json {
			return r.printJSON(predictLine{p.path, jsonModel(answer.GetModel()), jsonScores(answer.GetPredictions()), jsonTiming(answer.GetTiming())})
		}
		return r.print("%s\n%s", printable(p.path), scoreTable(answer.GetPredictions()))
	})
	if err != nil {
		return err
	}
	return r.result()
}
