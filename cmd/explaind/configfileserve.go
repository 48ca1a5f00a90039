package main

import (
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// settle gives the flags of "explaind serve" that the command line leaves out their values from the environment and the
// configuration file, as settings.settle does.
func (f *serveFlags) settle(cmd *cobra.Command) (*settings, error) {
	s := &settings{cmd: cmd, structured: map[string]func(string, []*yaml.Node) error{
		"models": func(file string, elements []*yaml.Node) (err error) {
			f.models.written, err = readModels(file, elements)
			return err
		},
	}}
	err := s.settle()
	_, folders := s.origins["models"]
	_, named := s.origins["model"]
	if model := servingModel(); model != "" && !folders && !named {
		var bad problems
		bad.add(err)
		bad.add(s.set(cmd.Flags().Lookup("model"), origin{variable: "MODEL_NAME"}, []string{model}, true))
		err = bad.err()
	}
	return s, err
}
