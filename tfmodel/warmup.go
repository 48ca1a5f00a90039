package tfmodel

import (
	"context"
	"slices"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// warmSize is the height and width that a model of free size is warmed with.
const warmSize = 224

// warmUp runs once what requests run most: a forward pass, and one with the gradients of the default layer.
func (m *Model) warmUp(ctx context.Context) error {
	in := m.program.Spec.Input
	image := explaind.NewTensor(max(in.Batch, 1), warmSide(in.Height), warmSide(in.Width), in.Channels)
	if err := m.findStrides(ctx, image); err != nil {
		return err
	}
	fed, err := toTensor(image, m.inputType())
	if err != nil {
		return internal(err)
	}
	layers := m.defaultLayers()
	fetches, start := m.predict, feeds{m.program.Input: fed}
	defer start.free()
	if err := m.engine.warmUp(fetches, start); err != nil {
		return unsupported(err)
	}
	if len(layers) == 0 || !m.program.Spec.Layers[layers[0]].Gradients {
		return nil
	}
	if err := explaind.FromContext(ctx); err != nil {
		return err
	}
	if err := best(image.Rows()).feed(start, m.program.Score); err != nil {
		return internal(err)
	}
	if err := m.engine.warmUp(append(slices.Clip(fetches), m.program.Layers[layers[0]].Gradients), start); err != nil {
		return unsupported(err)
	}
	return nil
}

// findStrides tells how large the layers of a model of free size are, relative to the image.
func (m *Model) findStrides(ctx context.Context, image *explaind.Tensor) error {
	in := m.program.Spec.Input
	if in.Height > 0 && in.Width > 0 {
		return nil
	}
	var all []graphdef.Ref
	for _, l := range m.program.Layers {
		all = append(all, l.Activations)
	}
	if len(all) == 0 {
		return nil
	}
	activations, err := m.forward(ctx, all, image, nil)
	if err != nil {
		return unsupported(err)
	}
	for i, a := range activations {
		m.program.Spec.Layers[i].Stride = max(1, min(image.Shape[1]/a.Shape[1], image.Shape[2]/a.Shape[2]))
	}
	return nil
}

func warmSide(d int) int {
	if d == 0 {
		return warmSize
	}
	return d
}

// defaultLayers is the index of the default layer, or nothing where there is none.
func (m *Model) defaultLayers() []int {
	for i, l := range m.program.Spec.Layers {
		if l.Name == m.program.Spec.DefaultLayer {
			return []int{i}
		}
	}
	return nil
}
