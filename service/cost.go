package service

import (
	"slices"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/faithfulness"
)

// cost is how many numbers the evidence takes. It refuses what would take too much memory or time, before the model runs.
func (p *plan) cost(in *input, spec *explaind.Spec, o Options) (numbers int, err error) {
	height, width := in.size()
	image := len(in.tensor.Data)
	// the image, and its gradients of each kind
	numbers = p.variants() * image * (1 + 2*len(p.targets)*len(p.groups))
	passes := 0
	for i, name := range p.layers {
		size := explain.Size{Height: height, Width: width}
		if name != "" {
			layer, err := spec.FindLayer(name)
			if err != nil {
				return 0, err
			}
			size.Channels = layer.Channels
			h, w := layer.Height, layer.Width
			if h == 0 || w == 0 { // it depends on the input, and is no larger
				stride := max(layer.Stride, 1)
				h, w = (height+stride-1)/stride, (width+stride-1)/stride
			}
			if p.looks {
				numbers += p.variants() * h * w * layer.Channels * (1 + len(p.targets)*len(p.groups))
			}
		}
		for _, m := range p.methods {
			if i > 0 && m.Traits.Has(explain.OfInput) { // it has its map already
				continue
			}
			if m.Passes != nil {
				passes += p.variants() * m.Passes(&p.options, size)
			}
			if p.faithful && (i == 0 || p.options.Fusion == explaind.FusionNone) {
				passes += faithfulness.Passes * len(p.targets)
			}
		}
	}
	if numbers > o.MaxEvidence {
		return 0, explaind.FieldError("config", "TOO_MANY_EXPLANATIONS",
			"activations and gradients of %d layers and %d targets for %d×%d pixels are %d numbers and the server allows %d; ask for fewer layers or targets at a time, or send a smaller picture where the model takes any size",
			len(p.layers), len(p.targets), width, height, numbers, o.MaxEvidence)
	}
	if passes > o.MaxPasses {
		return 0, explaind.FieldError("config", "TOO_MANY_PASSES",
			"the model would run on %d further images and the server allows %d; ask for fewer methods, layers or targets at a time, or for fewer samples, masks or channels in config.options", passes, o.MaxPasses)
	}
	return numbers, p.checkMaps(in, o)
}

// imageSized tells whether some maps are as large as the image already.
func (p *plan) imageSized() bool {
	return slices.ContainsFunc(p.methods, func(d explain.Definition) bool {
		return d.Traits.Has(explain.OfInput) || d.Needs.Has(explaind.NeedsGuidedGradients)
	})
}

// checkMaps bounds the maps and panels that come back.
func (p *plan) checkMaps(in *input, o Options) error {
	height, width := in.size()
	switch r := p.rendering; {
	case r.Resolution == ResolutionLayer && !r.OverlayPNG && !r.ComparisonPNG && !p.imageSized():
		return nil // no larger than the activations
	case r.Resolution == ResolutionOriginal:
		height, width = max(height, in.original.Height), max(width, in.original.Width)
	}
	figures := len(p.layers) * len(p.targets)
	if p.options.Fusion != explaind.FusionNone {
		figures = len(p.targets)
	}
	count := figures * len(p.methods)
	if p.rendering.ComparisonPNG {
		across := perRow(len(p.methods))
		count += figures * (len(p.methods) + (len(p.methods)+across-1)/across)
	}
	if count > o.MaxMapPixels/(height*width) {
		return explaind.FieldError("config", "TOO_MANY_EXPLANATIONS",
			"%d maps of %d×%d have more pixels than the %d that the server allows; ask for fewer at a time, or for RESOLUTION_LAYER", count, width, height, o.MaxMapPixels)
	}
	return nil
}
