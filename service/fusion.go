package service

import (
	"math"
	"strings"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/render"
)

// fuse makes one map of those of all layers, for each target and method, if that was asked for. Each is divided by its
// maximum, LayerCAM's further scaled as its paper has it, and grown to the size of the input or, where maps of the layers'
// own size are wanted, to that of the largest.
func (p *plan) fuse(maps []rawMap, in *input) []rawMap {
	if p.options.Fusion == explaind.FusionNone {
		return maps
	}
	height, width := in.size()
	if p.rendering.Resolution == ResolutionLayer {
		height, width = 0, 0
		for _, m := range maps {
			height, width = max(height, m.heatmap.Height), max(width, m.heatmap.Width)
		}
	}
	perLayer := len(maps) / len(p.layers)
	fused := make([]rawMap, perLayer)
	for i := range fused {
		fused[i] = maps[i]
		fused[i].layer = strings.Join(p.layers, "+")
		var total *explaind.Heatmap
		for layer := range p.layers {
			m := &maps[layer*perLayer+i]
			h := m.heatmap.Clone()
			fused[i].flags = union(fused[i].flags, union(m.flags, nonFinite(h.Normalize())))
			if m.definition.Method == explaind.MethodLayerCAM {
				saturate(h)
			}
			if p.options.Fusion == explaind.FusionProduct {
				h.ReLU() // two layers that speak against the class do not speak for it
			}
			h = render.Upsample(h, height, width, p.rendering.Interpolation)
			if total == nil {
				total = h
				continue
			}
			p.combine(total.Values, h.Values)
		}
		if p.options.Fusion == explaind.FusionMean {
			for k := range total.Values {
				total.Values[k] /= float32(len(p.layers))
			}
		}
		fused[i].heatmap = total
	}
	return fused
}

func (p *plan) combine(total, values []float32) {
	for k, v := range values {
		switch p.options.Fusion {
		case explaind.FusionMax:
			total[k] = max(total[k], v)
		case explaind.FusionProduct:
			total[k] *= v
		default:
			total[k] += v
		}
	}
}

// saturate scales the map of a layer for fusion: tanh(2·L / max L), as in Jiang et al., LayerCAM.
func saturate(h *explaind.Heatmap) {
	for i, v := range h.Values {
		h.Values[i] = float32(math.Tanh(2 * float64(v)))
	}
}
