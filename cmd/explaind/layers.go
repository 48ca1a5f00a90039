package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
The default layer is marked by *. What most layers allow is listed once, as usual, and so are the
methods that look at the input of the model instead of a layer.`,
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
	text := modelHeader(c.model)
	if len(c.model.GetLayers()) > 0 {
		text += "\n" + layerTable(c.model)
	}
	_, err = fmt.Fprint(a.stdout, text)
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
	rows = append(rows, methodRows("of input", m.GetInputMethods())...)
	rows = append(rows, methodRows("usual", usualOf(m))...)
	for _, w := range m.GetWarnings() {
		rows = append(rows, []string{"warning", printable(w)})
	}
	return table(rows)
}

// methodRows list methods behind a title, in lines that a terminal has room for.
func methodRows(title string, methods []pb.Method) (rows [][]string) {
	const most = 88
	line := ""
	for i, name := range methodNames(methods) {
		if i < len(methods)-1 {
			name += ","
		}
		if line != "" && len(line)+1+len(name) > most {
			rows = append(rows, []string{title, line})
			title, line = "", ""
		}
		line = strings.TrimPrefix(line+" "+name, " ")
	}
	if line != "" {
		rows = append(rows, []string{title, line})
	}
	return rows
}

// ofLayer are the methods of a layer that look at it.
func ofLayer(l *pb.Layer, m *pb.GetModelResponse) []pb.Method {
	return without(l.GetMethods(), m.GetInputMethods())
}

func without(list, others []pb.Method) []pb.Method {
	return slices.DeleteFunc(slices.Clone(list), func(m pb.Method) bool { return slices.Contains(others, m) })
}

// usualOf are the methods that most layers allow; of two sets that are as frequent, the larger one.
func usualOf(m *pb.GetModelResponse) (usual []pb.Method) {
	count := map[string]int{}
	most := 0
	for _, l := range m.GetLayers() {
		methods := ofLayer(l, m)
		key := fmt.Sprint(methods)
		count[key]++
		if n := count[key]; n > most || n == most && len(methods) > len(usual) {
			most, usual = n, methods
		}
	}
	return usual
}

// methodsCell tells the methods of a layer by what sets them apart from the usual ones, if that is little.
func methodsCell(methods, usual []pb.Method) string {
	missing, more := without(usual, methods), without(methods, usual)
	if len(usual) == 0 || len(missing) > 3 || len(missing) >= len(usual) {
		return strings.Join(methodNames(methods), ", ")
	}
	cell := "usual"
	if len(missing) > 0 {
		cell += " but " + strings.Join(methodNames(missing), ", ")
	}
	if len(more) > 0 {
		cell += ", also " + strings.Join(methodNames(more), ", ")
	}
	return cell
}

func labelled(labels int) string {
	if labels == 0 {
		return "without labels"
	}
	return "labelled"
}

func layerTable(m *pb.GetModelResponse) string {
	rows := [][]string{{"", "LAYER", "OP", "SHAPE", "METHODS"}}
	usual := usualOf(m)
	for _, l := range m.GetLayers() {
		mark := ""
		if l.GetName() == m.GetDefaultLayer() {
			mark = "*"
		}
		methods := methodsCell(ofLayer(l, m), usual)
		if l.GetReason() != "" {
			methods = strings.TrimPrefix(methods+"; no gradients: "+l.GetReason(), "; ")
		}
		shape := fmt.Sprintf("%s×%s×%d", size(l.GetHeight()), size(l.GetWidth()), l.GetChannels())
		rows = append(rows, []string{mark, printable(l.GetName()), l.GetOp(), shape, printable(methods)})
	}
	return table(rows)
}
