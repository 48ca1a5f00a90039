package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// exampleModels shows what a flag cannot say.
const exampleModels = `#
# A model may be written out, with the versions to serve and the labels of versions:
#models:
#  - /srv/models
#  - name: resnet50
#    path: /srv/elsewhere/resnet50   # left out for a model of that name in a folder of models
#    versions: {latest: 2}           # or latest, all, {specific: [3, 5]}
#    labels: {stable: 3}
`

func (a *app) configExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a configuration file with every setting of serve and its default",
		Long: `Prints a configuration file for "explaind serve --config FILE" that has every setting, what it means
and its default. All lines are comments: take the # off those that you change.`,
		Example: `  explaind config example > explaind.yaml`,
		Args:    noArguments(""),
		RunE: func(*cobra.Command, []string) error {
			text, err := exampleConfig()
			fmt.Fprint(a.stdout, text)
			return err
		},
	}
}

// exampleConfig is what "explaind config example" prints.
func exampleConfig() (string, error) {
	s := serveSettings()
	out := `# Settings of "explaind serve --config FILE". Each may also be given as a flag, --max-pixels NUMBER, which wins over
# all else, or in the environment, EXPLAIND_MAX_PIXELS=NUMBER, which wins over this file.
`
	var err error
	title := ""
	s.visit(func(flag *pflag.Flag) {
		if of := groupOf(flag); of != title {
			title = of
			out += "\n##### " + title + "\n"
		}
		line, bad := settingLine(flag.Name, valueOf(flag))
		if bad != nil {
			err = bad
		}
		out += "\n" + comment(usageOf(flag)) + "#" + line
		if flag.Name == "models" {
			out += exampleModels
		}
	})
	return out, err
}

// serveSettings are the settings of "explaind serve" with their defaults.
func serveSettings() *settings {
	s := &settings{cmd: &cobra.Command{Use: "serve"}}
	new(serveFlags).register(s.cmd)
	return s
}

// usageOf is what a setting means, with the word that stands for its value.
func usageOf(flag *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(flag)
	return usage
}

// comment breaks a text into lines of comment.
func comment(text string) string {
	out, line := "", "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > 118 {
			out += line + "\n"
			line = "#"
		}
		line += " " + word
	}
	return out + line + "\n"
}

// valueOf is the value of a flag as a configuration file has it. A password in an address is left out.
func valueOf(flag *pflag.Flag) *yaml.Node {
	if several, ok := flag.Value.(pflag.SliceValue); ok {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, text := range several.GetSlice() {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: withoutPassword(text)})
		}
		return list
	}
	tag := "" // numbers, true and false stand as they are
	switch kind := flag.Value.Type(); {
	case kind == "bool", strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"), strings.HasPrefix(kind, "float"):
	default:
		tag = "!!str"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: withoutPassword(flag.Value.String())}
}

// withoutPassword is a text as it may be shown. Secrets stand in files, whose paths may be seen; but addresses can hold one.
func withoutPassword(text string) string {
	if at, err := url.Parse(text); err == nil && at.User != nil {
		return at.Redacted()
	}
	return text
}

// settingLine is a line of a configuration file, or several for a value that needs them.
func settingLine(key string, value *yaml.Node) (string, error) {
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{name, value}})
	return out.String(), err
}

// effective is every setting in force as a configuration file, with where each is from.
func (s *settings) effective() (text string, err error) {
	title := ""
	s.visit(func(flag *pflag.Flag) {
		if of := groupOf(flag); of != title {
			title = of
			text += "\n# " + title + "\n"
		}
		value := s.nodes[flag.Name]
		if value == nil {
			value = valueOf(flag)
		}
		line, bad := settingLine(flag.Name, value)
		if bad != nil {
			err = bad
		}
		first, rest, _ := strings.Cut(line, "\n")
		text += fmt.Sprintf("%-38s # %s\n%s", first, s.origins[flag.Name], rest)
	})
	return text, err
}
