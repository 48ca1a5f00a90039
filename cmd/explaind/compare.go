package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// compareFlags are the flags of "explaind compare".
type compareFlags struct {
	explainFlags
	out     string
	article bool
}

func (a *app) compareCommand() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare IMAGE",
		Short: "Draw methods side by side",
		Long: `Draws one figure: the picture and the overlay of each method side by side, titled with the class and
its probability, one row per layer and class. Without --method it draws CAM if all of the layers allow
it, Grad-CAM and Grad-CAM++.

--article draws the three forms of the article, with its cubic spline; they need a layer that is a
convolution. To understand an error, draw the class the model took and the right one: --class A --class B.`,
		Example: `  explaind compare cat.jpg --model models/resnet50 --out figure.png
  explaind compare kite.jpg --model models/vgg16 --article --layer block5_conv3
  explaind compare kite.jpg --model models/resnet50 --class parachute --class kite`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{cmd, fmt.Errorf("compare takes one image, got %d", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.compare(cmd.Context(), f, args[0])
		},
	}
	f.register(cmd)
	registerMethods(cmd, &f.methods, usualMethodsText)
	cmd.Flags().StringVarP(&f.out, "out", "o", "figure.png", "`FILE` of the figure, overwritten if it is there")
	cmd.Flags().BoolVar(&f.article, "article", false, "the three methods as the article computes them, with its interpolation")
	cmd.MarkFlagsMutuallyExclusive("article", "method")
	cmd.MarkFlagsMutuallyExclusive("article", "interpolation")
	return cmd
}

func (a *app) compare(ctx context.Context, f compareFlags, path string) error {
	if extension := filepath.Ext(f.out); !strings.EqualFold(extension, ".png") {
		return fmt.Errorf("--out %s: figures are PNG files; give it a name that ends in .png", f.out)
	}
	if isFolder(path) {
		return fmt.Errorf("%s is a folder; compare takes one image", path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s: %w", path, plain(err))
	}
	if isFolder(f.out) {
		return fmt.Errorf("--out %s is a folder; give the name of the figure's file", f.out)
	}
	if err := makeFolder("--out", filepath.Dir(f.out)); err != nil {
		return err
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
	if err := f.chooseMethods(config, c.model); err != nil {
		return err
	}
	a.warnOfOptions(&f.options, config)
	config.Rendering.ComparisonPng = true
	r := a.newReport(1, nil, f.json)
	err = c.explainAll(ctx, config, []picture{{path: path}}, r, func(p picture, answer *pb.ExplainResponse) error {
		line := c.newExplainLine(p, answer, config)
		line.Figure = f.out
		if err := writeFile(f.out, answer.GetComparisonPng()); err != nil {
			return err
		}
		return r.printExplained(line)
	})
	if err != nil {
		return err
	}
	return r.result()
}

// chooseMethods fills in what nobody named.
func (f *compareFlags) chooseMethods(config *pb.ExplainConfig, m *pb.GetModelResponse) error {
	switch {
	case f.article:
		config.Methods = []pb.Method{pb.Method_METHOD_ARTICLE_CAM, pb.Method_METHOD_ARTICLE_GRAD_CAM, pb.Method_METHOD_ARTICLE_GRAD_CAM_PLUS_PLUS}
		config.Rendering.Interpolation = pb.Interpolation_INTERPOLATION_CUBIC_SPLINE
	case len(config.Methods) == 0:
		var err error
		config.Methods, err = usualMethods(config.GetLayers(), m)
		return err
	}
	return nil
}

const usualMethodsText = "cam where all layers allow it, grad_cam, grad_cam_plus_plus"

// usualMethods are those of the article's figure that all of the layers allow, in its order. The article's own forms are
// drawn only for those who ask: they are other numbers under the same names. A model without layers is explained at its
// input.
func usualMethods(layers []string, m *pb.GetModelResponse) ([]pb.Method, error) {
	if len(m.GetLayers()) == 0 && len(m.GetInputMethods()) > 0 {
		return m.GetInputMethods()[:1], nil
	}
	possible, err := methodsOn(layers, m)
	if err != nil {
		return nil, err
	}
	var chosen []pb.Method
	for _, usual := range []pb.Method{pb.Method_METHOD_CAM, pb.Method_METHOD_GRAD_CAM, pb.Method_METHOD_GRAD_CAM_PLUS_PLUS} {
		if slices.Contains(possible, usual) {
			chosen = append(chosen, usual)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no method can explain all of these layers; choose others by --layer, see 'explaind layers'")
	}
	return chosen, nil
}

// methodsOn are the methods that can explain all of the layers. The layers' names are understood as the server does.
func methodsOn(layers []string, m *pb.GetModelResponse) ([]pb.Method, error) {
	spec := specOf(m)
	byName := map[string][]pb.Method{}
	for _, l := range m.GetLayers() {
		byName[l.GetName()] = l.GetMethods()
	}
	if len(layers) == 0 {
		layers = []string{""}
	}
	var possible []pb.Method
	for i, name := range layers {
		layer, err := spec.FindLayer(name)
		if err != nil {
			return nil, fmt.Errorf("--layer: %w", err)
		}
		if i == 0 {
			possible = slices.Clone(byName[layer.Name])
		}
		possible = slices.DeleteFunc(possible, func(m pb.Method) bool { return !slices.Contains(byName[layer.Name], m) })
	}
	return possible, nil
}
