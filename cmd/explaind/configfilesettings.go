package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/explaind/explaind"
)

// configFlag names the configuration file. It is a setting of the command line and the environment only.
const configFlag = "config"

// origin is where the value of a setting comes from. The zero value is its default.
type origin struct {
	flag     bool
	variable string // of the environment
	file     string
	line     int
}

func (o origin) String() string {
	switch {
	case o.flag:
		return "flag"
	case o.variable != "":
		return o.variable
	case o.file != "":
		return fmt.Sprintf("%s:%d", o.file, o.line)
	default:
		return "default"
	}
}

// name is a setting as errors name it.
func (o origin) name(setting string) string {
	switch {
	case o.file != "":
		return fmt.Sprintf("%s:%d: %s", o.file, o.line, setting)
	case o.variable != "":
		return o.variable
	default:
		return "--" + setting
	}
}

// settings are the flags of a command, which may also be given by the environment and by a file. The command line wins
// over the environment, that over the file, and the file over the defaults, for each setting as a whole: lists are not
// added up.
type settings struct {
	cmd     *cobra.Command
	origins map[string]origin // of the settings that are not the default
	// structured reads the elements of a list that are mappings, for the settings that know such, from the file named.
	structured map[string]func(file string, elements []*yaml.Node) error
	nodes      map[string]*yaml.Node // values that were structured, as they were written
	warnings   []string
}

// settle gives the flags that the command line leaves out their values from the environment and the file. The error has
// all that is wrong with these; settings that have nothing wrong are in force all the same.
func (s *settings) settle() error {
	s.origins, s.nodes = map[string]origin{}, map[string]*yaml.Node{}
	s.visit(func(f *pflag.Flag) {
		if f.Changed {
			s.origins[f.Name] = origin{flag: true}
		}
	})
	var bad problems
	bad.add(s.fromEnvironment())
	if path := s.configFile(); path != "" {
		entries, err := readConfig(path)
		bad.add(err)
		for _, e := range entries {
			bad.add(s.fromFile(path, e))
		}
	}
	if len(bad) == 0 {
		bad.add(reworded(s.cmd, s.cmd.ValidateFlagGroups()))
	}
	return bad.err()
}

// visit calls f with the flag of each setting, in the order of the help.
func (s *settings) visit(f func(*pflag.Flag)) {
	s.cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if flag.Name != configFlag && flag.Name != "help" && !flag.Hidden {
			f(flag)
		}
	})
}

func (s *settings) names() []string {
	var names []string
	s.visit(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// fromFile takes one line of the file over, unless the setting was given before.
func (s *settings) fromFile(file string, e entry) error {
	if e.bad != nil {
		return e.bad
	}
	if !slices.Contains(s.names(), e.key) {
		return fmt.Errorf("%s:%d: %s", file, e.line, explaind.NotFoundError("key", e.key, s.names()).Message)
	}
	flag := s.cmd.Flags().Lookup(e.key)
	here := origin{file: file, line: e.line}
	values, mappings, err := s.values(flag, e.value)
	if err != nil {
		return fmt.Errorf("%s: %w", here.name(e.key), err)
	}
	if _, given := s.origins[e.key]; given {
		return nil
	}
	if err := s.set(flag, here, values, e.value.Kind == yaml.SequenceNode); err != nil {
		return err
	}
	if len(mappings) > 0 {
		s.nodes[e.key] = e.value
		return s.structured[e.key](file, mappings)
	}
	return nil
}

// values are the texts that a value has for the flag, and the mappings among them where the setting knows such.
func (s *settings) values(flag *pflag.Flag, value *yaml.Node) (texts []string, mappings []*yaml.Node, err error) {
	_, several := flag.Value.(pflag.SliceValue)
	if value.Kind == yaml.ScalarNode && !isNull(value) {
		return []string{value.Value}, nil, nil
	}
	if value.Kind != yaml.SequenceNode || !several {
		return nil, nil, expected(flag, value)
	}
	for _, element := range value.Content {
		switch {
		case element.Kind == yaml.ScalarNode && !isNull(element):
			texts = append(texts, element.Value)
		case element.Kind == yaml.MappingNode && s.structured[flag.Name] != nil:
			mappings = append(mappings, element)
		default:
			return nil, nil, fmt.Errorf("expected a list of values, found %s in it", kindOf(element))
		}
	}
	return texts, mappings, nil
}

// expected tells what a flag takes instead of the value.
func expected(flag *pflag.Flag, value *yaml.Node) error {
	want := "text"
	switch kind := flag.Value.Type(); {
	case kind == "bool":
		want = "true or false"
	case kind == "duration":
		want = "a time such as 30s or 2m"
	case strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint"):
		want = "a whole number"
	case strings.HasPrefix(kind, "float"):
		want = "a number"
	}
	if _, several := flag.Value.(pflag.SliceValue); several {
		want = "a value or a list of values"
	}
	way := ""
	if isNull(value) {
		way = "; leave the line out for the default"
		if want == "text" {
			way = fmt.Sprintf("; write %s: \"\" for the empty text, or leave the line out for the default", flag.Name)
		}
	}
	return fmt.Errorf("expected %s, found %s%s", want, kindOf(value), way)
}

// set gives a flag its value, or the values of a list, as the command line would.
func (s *settings) set(flag *pflag.Flag, from origin, values []string, list bool) error {
	before := flag.Value.String()
	var err error
	if several, ok := flag.Value.(pflag.SliceValue); ok && (list || flag.Value.Type() == "stringArray") {
		err = several.Replace(values)
		flag.Changed = true
	} else {
		err = s.cmd.Flags().Set(flag.Name, values[0])
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		_ = flag.Value.Set(before) // a number that cannot be read leaves another one, which nobody wrote
		return fmt.Errorf("%s %q %s", from.name(flag.Name), bad.GetValue(), whatIsWrong(bad))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from.name(flag.Name), err)
	}
	s.origins[flag.Name] = from
	return nil
}

// ofFlag is how an error about a flag begins.
var ofFlag = regexp.MustCompile(`^--([a-z0-9-]+)`)

// located is an error about a setting that names it where it was set.
type located struct {
	error
	text string
}

func (l located) Error() string { return l.text }
func (l located) Unwrap() error { return l.error }

// locate lets errors about flags name the lines and variables that set them.
func (s *settings) locate(err error) error {
	if several, ok := errors.AsType[problems](err); ok {
		placed := make(problems, len(several))
		for i, one := range several {
			placed[i] = s.locate(one)
		}
		return placed
	}
	if err == nil {
		return nil
	}
	text := err.Error()
	at := ofFlag.FindStringSubmatch(text)
	if at == nil || s.origins[at[1]] == (origin{}) || s.origins[at[1]].flag {
		return err
	}
	return located{err, s.origins[at[1]].name(at[1]) + text[len(at[0]):]}
}
