package main

import (
	"strconv"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// specOf is as much of a model as names of layers and classes are looked up in, so that the command line understands
// them as the server does.
func specOf(m *pb.GetModelResponse) *explaind.Spec {
	spec := &explaind.Spec{DefaultLayer: m.GetDefaultLayer(), Labels: m.GetLabels()}
	for _, l := range m.GetLayers() {
		spec.Layers = append(spec.Layers, explaind.Layer{Name: l.GetName(), Aliases: l.GetAliases()})
	}
	return spec
}

// classIndex takes a number as an index and all else as a label.
func classIndex(class string, spec *explaind.Spec) (int32, error) {
	if index, err := strconv.ParseInt(class, 10, 32); err == nil {
		return int32(index), nil
	}
	index, err := spec.ClassByLabel(class)
	return int32(index), err
}

// once leaves out what was asked for before under the same key: several names may mean one thing.
func once[T any, K comparable](list []T, key func(T) K) []T {
	seen := map[K]bool{}
	var out []T
	for _, x := range list {
		if k := key(x); !seen[k] {
			seen[k] = true
			out = append(out, x)
		}
	}
	return out
}

func itself[T any](x T) T { return x }

// layerKey and classKey tell names apart by what they mean. A name without a meaning is its own: the server says what is
// wrong with it.
func layerKey(spec *explaind.Spec) func(string) string {
	return func(name string) string {
		if layer, err := spec.FindLayer(name); err == nil {
			return layer.Name
		}
		return name
	}
}

func classKey(spec *explaind.Spec) func(string) string {
	return func(class string) string {
		if index, err := classIndex(class, spec); err == nil {
			return strconv.Itoa(int(index))
		}
		return class
	}
}
