package main

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/repository"
)

// modelKeys are what a model in a configuration file may tell.
var modelKeys = []string{"name", "path", "versions", "labels"}

// readModels reads models that are written out in the file named, a mapping each:
//
//   - name: resnet50
//     path: /srv/models/resnet50
//     versions: {latest: 2}
//     labels: {stable: 3}
//
// A model without a path is one that a folder of models holds.
func readModels(file string, elements []*yaml.Node) ([]repository.ModelConfig, error) {
	var models []repository.ModelConfig
	var bad problems
	for _, element := range elements {
		m, err := readModel(file, element)
		bad.add(err)
		models = append(models, m)
	}
	return models, bad.err()
}

func readModel(file string, element *yaml.Node) (m repository.ModelConfig, err error) {
	var bad problems
	wrong := func(at *yaml.Node, format string, args ...any) {
		bad.add(fmt.Errorf("%s:%d: %w", file, at.Line, fmt.Errorf(format, args...)))
	}
	eachKey(element, wrong, func(key, value *yaml.Node) {
		switch key.Value {
		case "name", "path":
			text, ok := textOf(value)
			if !ok {
				wrong(value, "%s: expected text, found %s", key.Value, kindOf(value))
			}
			if key.Value == "name" {
				m.Name = text
			} else {
				m.Path = text
			}
		case "versions":
			policy, err := readPolicy(value)
			if err != nil {
				wrong(value, "versions: %w", err)
			}
			m.Policy = &policy
		case "labels":
			m.Labels = readLabels(value, wrong)
		default:
			wrong(key, "%s", explaind.NotFoundError("key", key.Value, modelKeys).Message)
		}
	})
	if len(bad) > 0 {
		return m, bad
	}
	if m.Name == "" {
		wrong(element, "a model needs a name")
	} else if err := repository.CheckName(m.Name); err != nil {
		wrong(element, "%w", err)
	}
	return m, bad.err()
}

// eachKey calls f with the keys of a mapping, each once.
func eachKey(mapping *yaml.Node, wrong func(*yaml.Node, string, ...any), f func(key, value *yaml.Node)) {
	var seen []string
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			wrong(key, "expected the name of a key, found %s", kindOf(key))
		case slices.Contains(seen, key.Value):
			wrong(key, "%s stands there twice; keep one of them", key.Value)
		default:
			seen = append(seen, key.Value)
			f(key, value)
		}
	}
}

func textOf(n *yaml.Node) (string, bool) {
	return n.Value, n.Kind == yaml.ScalarNode && n.Value != "" && !isNull(n)
}

// readPolicy reads which versions are served: all, latest, {latest: 2} or {specific: [1, 3]}.
func readPolicy(n *yaml.Node) (repository.Policy, error) {
	const forms = "expected latest, {latest: NUMBER}, all, or {specific: [NUMBER, …]}"
	if text, ok := textOf(n); ok {
		return repository.ParsePolicy(text)
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return repository.Policy{}, fmt.Errorf(forms+", found %s", kindOf(n))
	}
	key, value := n.Content[0], n.Content[1]
	switch {
	case key.Value == "latest" && value.Kind == yaml.ScalarNode:
		count, err := strconv.Atoi(value.Value)
		if err != nil || count < 1 {
			return repository.Policy{}, fmt.Errorf("latest: expected a number of versions from 1 on, found %s", kindOf(value))
		}
		return repository.Policy{Latest: count}, nil
	case key.Value == "specific" && value.Kind == yaml.SequenceNode && len(value.Content) > 0:
		var versions []int64
		for _, element := range value.Content {
			version, err := versionOf(element)
			if err != nil {
				return repository.Policy{}, fmt.Errorf("specific: %w", err)
			}
			versions = append(versions, version)
		}
		return repository.Policy{Versions: versions}, nil
	default:
		return repository.Policy{}, fmt.Errorf(forms+", found %s: …", kindOf(key))
	}
}

func versionOf(n *yaml.Node) (int64, error) {
	version, err := strconv.ParseInt(n.Value, 10, 64)
	if n.Kind != yaml.ScalarNode || err != nil || version < 1 {
		return 0, fmt.Errorf("expected the number of a version, from 1 on, found %s", kindOf(n))
	}
	return version, nil
}

// readLabels reads the versions that labels stand for.
func readLabels(n *yaml.Node, wrong func(*yaml.Node, string, ...any)) map[string]int64 {
	if n.Kind != yaml.MappingNode {
		wrong(n, "labels: expected {LABEL: VERSION, …}, found %s", kindOf(n))
		return nil
	}
	labels := map[string]int64{}
	eachKey(n, wrong, func(key, value *yaml.Node) {
		version, err := versionOf(value)
		if err != nil {
			wrong(key, "labels: %s: %w", key.Value, err)
		} else if err := repository.CheckLabel(key.Value); err != nil {
			wrong(key, "labels: %s", explaind.AsError(err).Message)
		}
		labels[key.Value] = version
	})
	return labels
}
