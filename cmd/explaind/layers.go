package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// layerLine is what layers --json prints for a layer.
type layerLine struct {
	Layer    string   `json:"layer"`
	Default  bool     `json:"default"`
	Op       string   `json:"op"`
	Height   int32    `json:"height"` // 0 if it depends on the input
	Width    int32    `json:"width"`
	Channels int32    `json:"channels"`
	Methods  []string `json:"methods"`
	Reason   string   `json:"reason,omitempty"`
	Aliases  []string `json:"aliases,omitempty"`
}

func (a *app) layersCommand() *cobra.Command {
	var f modelFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "layers --model DIR|NAME",
		Short: "List the layers of a model that can be explained",
		Long: `Lists the layers that --layer takes, in the order of the forward pass, with the operation that makes
each, its shape height×width×channels ("?" depends on the picture) and the methods that can explain it.
The default layer is marked by *.`,
		Example: `  explaind layers --model models/resnet50
  explaind layers --server 127.0.0.1:8500 --model resnet50 --json`,
		Args: noArguments("--model"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.layers(cmd.Context(), f, asJSON)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per layer")
	return cmd
}

func (a *app) layers(ctx context.Context, f modelFlags, asJSON bool) error {
	_, c, err := a.connect(ctx, f)
	if err != nil {
		return err
	}
	defer c.close()
	if asJSON {
		return a.printLayersJSON(c.model)
	}
	_, err = fmt.Fprint(a.stdout, modelHeader(c.model), "\n", layerTable(c.model))
	return err
}

func (a *app) printLayersJSON(m *pb.GetModelResponse) error {
	out := json.NewEncoder(a.stdout)
	for _, l := range m.GetLayers() {
		err := out.Encode(layerLine{l.GetName(), l.GetName() == m.GetDefaultLayer(), l.GetOp(), l.GetHeight(), l.GetWidth(), l.GetChannels(),
			methodNames(l.GetMethods()), l.GetReason(), l.GetAliases()})
		if err != nil {
			return err
		}
	}
	return nil
}

// modelHeader is the model in a few lines.
func modelHeader(m *pb.GetModelResponse) string {
	in, head := m.GetInput(), m.GetHead()
	rows := [][]string{
		{"model", fmt.Sprintf("%s, version %d", m.GetModel().GetName(), m.GetModel().GetVersion())},
		{"input", fmt.Sprintf("%s×%s×%d, %s", size(in.GetHeight()), size(in.GetWidth()), in.GetChannels(), in.GetDtype())},
		{"classes", fmt.Sprintf("%d, %s, %s", head.GetClasses(), head.GetActivation(), labelled(len(m.GetLabels())))},
	}
	for _, w := range m.GetWarnings() {
		rows = append(rows, []string{"warning", printable(w)})
	}
	return table(rows)
}

func labelled(labels int) string {
	if labels == 0 {
		return "without labels"
	}
	return "labelled"
}

func layerTable(m *pb.GetModelResponse) string {
	rows := [][]string{{"", "LAYER", "OP", "SHAPE", "METHODS"}}
	for _, l := range m.GetLayers() {
		mark := ""
		if l.GetName() == m.GetDefaultLayer() {
			mark = "*"
		}
		methods := strings.Join(methodNames(l.GetMethods()), ",")
		if l.GetReason() != "" {
			methods = strings.TrimPrefix(methods+"; no gradients: "+l.GetReason(), "; ")
		}
		shape := fmt.Sprintf("%s×%s×%d", size(l.GetHeight()), size(l.GetWidth()), l.GetChannels())
		rows = append(rows, []string{mark, printable(l.GetName()), l.GetOp(), shape, printable(methods)})
	}
	return table(rows)
}
