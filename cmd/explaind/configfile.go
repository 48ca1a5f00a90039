package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxConfigBytes bounds a configuration file: one that lists a thousand models has a tenth of it.
const maxConfigBytes = 1 << 20

// entry is a key of a configuration file with its value, or what is wrong with them.
type entry struct {
	key   string
	line  int
	value *yaml.Node
	bad   error
}

// problems are errors that are told together, a line each.
type problems []error

func (p problems) Error() string { return errors.Join(p...).Error() }

func (p problems) Unwrap() []error { return p }

// add takes an error in, or each of those that were joined; nil is none.
func (p *problems) add(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if list := joined.Unwrap(); err.Error() == errors.Join(list...).Error() { // that is all that it says
			for _, one := range list {
				p.add(one)
			}
			return
		}
	}
	*p = append(*p, err)
}

// err is nil if there is no problem.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// readConfig reads a configuration file. Errors name the file, and all but those of opening it the line.
func readConfig(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	if len(data) > maxConfigBytes {
		return nil, fmt.Errorf("%s is larger than %d MiB, which no configuration is", path, maxConfigBytes>>20)
	}
	return parseConfig(path, data)
}

// parseConfig takes a YAML document apart. An empty one has no entries.
func parseConfig(file string, data []byte) ([]entry, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, notYAML(file, err)
	}
	switch err := decoder.Decode(new(yaml.Node)); {
	case err == nil:
		return nil, fmt.Errorf("%s holds several YAML documents; keep one, and leave out the lines of --- between them", file)
	case !errors.Is(err, io.EOF):
		return nil, notYAML(file, err)
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: expected lines of KEY: VALUE, found %s", file, root.Line, kindOf(root))
	}
	var entries []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		e := entry{key: root.Content[i].Value, line: root.Content[i].Line, value: root.Content[i+1]}
		first, twice := seen[e.key]
		wrong := onlyValues(root.Content[i : i+2]...)
		switch {
		case wrong != nil:
			e.bad = fmt.Errorf("%s:%w", file, wrong)
		case root.Content[i].Kind != yaml.ScalarNode:
			e.bad = fmt.Errorf("%s:%d: a key is the name of a setting, found %s", file, e.line, kindOf(root.Content[i]))
		case twice:
			e.bad = fmt.Errorf("%s:%d: %s is set a second time, after line %d; keep one of them", file, e.line, e.key, first)
		default:
			seen[e.key] = e.line
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// onlyValues refuses what a list of settings has no use for and readers of it would stumble over: references to other values,
// and types other than those that are written. The error begins with the line.
func onlyValues(nodes ...*yaml.Node) error {
	for _, n := range nodes {
		switch {
		case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge":
			return fmt.Errorf("%d: anchors (&), aliases (*) and merges (<<) are not supported; write the value out", n.Line)
		case n.Style&yaml.TaggedStyle != 0:
			return fmt.Errorf("%d: tags such as %s are not supported; write the value alone", n.Line, n.Tag)
		}
		if err := onlyValues(n.Content...); err != nil {
			return err
		}
	}
	return nil
}

// isNull tells whether a value is left out, or is null.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindOf is what a value is, in the words of an error.
func kindOf(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(n.Value)
	}
}

// yamlError is an error of the YAML parser, which begins with its own name.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func notYAML(file string, err error) error {
	text := err.Error()
	at := yamlError.FindStringSubmatch(text)
	if at == nil {
		return fmt.Errorf("%s is not YAML: %s", file, text)
	}
	text = text[len(at[0]):]
	if at[1] == "" {
		return fmt.Errorf("%s is not YAML: %s", file, text)
	}
	return fmt.Errorf("%s:%s: not YAML: %s", file, at[1], text)
}
