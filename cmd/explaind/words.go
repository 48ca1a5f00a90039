package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// word is a flag whose values are those of a protocol's enum, written without its prefix and in lower case:
// RESOLUTION_LAYER is "layer". The zero value is "not given".
type word struct {
	prefix string
	values map[string]int32 // as generated
	number int32
}

func (w *word) String() string {
	if w.number == 0 {
		return ""
	}
	for name, number := range w.values {
		if number == w.number {
			return w.lower(name)
		}
	}
	return ""
}

// Set is pflag's.
func (w *word) Set(s string) error {
	name := w.prefix + strings.ReplaceAll(strings.ToUpper(s), "-", "_")
	number := w.values[name]
	if number == 0 {
		return fmt.Errorf("choose among %s", strings.Join(w.choices(), ", "))
	}
	w.number = number
	return nil
}

// Type is pflag's: what stands for the value in help texts.
func (w *word) Type() string { return strings.Join(w.choices(), "|") }

// choices are ordered as in the protocol.
func (w *word) choices() []string {
	names := slices.SortedFunc(maps.Keys(w.values), func(a, b string) int { return int(w.values[a] - w.values[b]) })
	var out []string
	for _, name := range names {
		if w.values[name] != 0 {
			out = append(out, w.lower(name))
		}
	}
	return out
}

func (w *word) lower(name string) string {
	return strings.ToLower(strings.TrimPrefix(name, w.prefix))
}

// register adds the flag, with its choices for shell completion.
func (w *word) register(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(w, name, usage)
	cmd.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return w.choices(), cobra.ShellCompDirectiveNoFileComp
	})
}

// lower is an enum's value in the same spelling.
func lower(prefix string, e protoreflect.Enum) string {
	value := e.Descriptor().Values().ByNumber(e.Number())
	if value == nil { // of a newer server
		return fmt.Sprint(e.Number())
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}

func methodName(m pb.Method) string { return lower("METHOD_", m) }

func methodNames(list []pb.Method) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = methodName(m)
	}
	return out
}

// methodChoices are the methods that the protocol has.
func methodChoices() []string {
	return (&word{prefix: "METHOD_", values: pb.Method_value}).choices()
}

// statistics are the names of methods that are smooth_grad with another statistic, and that statistic.
var statistics = map[string]string{"vargrad": "variance", "squaregrad": "square", "smoothgradsquared": "square"}

var compact = strings.NewReplacer("-", "", "_", "", " ", "")

// parseMethods reads names as people type them: grad_cam, Grad-CAM++, METHOD_CAM.
func parseMethods(names []string) ([]pb.Method, error) {
	var known []explaind.Method
	for _, name := range methodChoices() {
		known = append(known, explaind.Method(name))
	}
	methods := make([]pb.Method, len(names))
	for i, name := range names {
		m, err := explaind.ParseMethod(name, known)
		if statistic := statistics[compact.Replace(strings.ToLower(name))]; err != nil && statistic != "" {
			return nil, fmt.Errorf("--method: %q is a form of smooth_grad; ask for --method smooth_grad --noise-statistic %s", name, statistic)
		}
		if err != nil {
			return nil, fmt.Errorf("--method: %w", err)
		}
		methods[i] = pb.Method(pb.Method_value["METHOD_"+strings.ToUpper(string(m))])
	}
	return methods, nil
}
