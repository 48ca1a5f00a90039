package service

import (
	"context"
	"image"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/render"
)

// draw makes explanations of raw maps, side by side, and the comparison figure.
func (e *Explainer) draw(ctx context.Context, answer *ExplainAnswer, in *input, maps []rawMap) error {
	p, spec := e.plan, e.handle.Model.Spec()
	answer.Explanations = make([]Explanation, len(maps))
	overlays := make([]image.Image, len(maps))
	err := each(ctx, len(maps), func(i int) error {
		return e.service.onCore(ctx, func() error {
			x, overlay, err := p.explanation(&maps[i], in)
			if err != nil {
				return err
			}
			x.Target.Label = label(spec, x.Target.Class)
			answer.Explanations[i], overlays[i] = *x, overlay
			return nil
		})
	})
	switch {
	case ctx.Err() != nil:
		return inPhase(explaind.FromContext(ctx), "RENDER")
	case err != nil:
		return err
	}
	if !p.rendering.ComparisonPNG {
		return nil
	}
	err = e.service.onCore(ctx, func() (err error) {
		answer.ComparisonPNG, err = p.comparison(answer, spec, in, overlays)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return inPhase(explaind.FromContext(ctx), "RENDER")
	}
	return err
}

// explanation grows one raw map to the size asked for, normalises and draws it. The overlay is nil unless it is needed.
func (p *plan) explanation(m *rawMap, in *input) (*Explanation, image.Image, error) {
	grown := p.grow(m.heatmap, in, p.rendering.Resolution)
	x := &Explanation{
		Method:     m.definition.Method,
		Layer:      m.layer,
		Target:     ClassScore{Class: m.evidence.Class, Probability: m.evidence.Probability, Logit: m.evidence.Logit},
		Heatmap:    grown,
		WithValues: p.rendering.Values,

		Completeness: m.completeness,
	}
	x.RawMin, x.RawMax = grown.Range()
	x.Flags = union(m.flags, grown.Normalize())
	if p.rendering.HeatmapPNG {
		var err error
		if x.HeatmapPNG, err = render.PNG(render.HeatmapImage(m.contrast().Apply(grown), p.rendering.Colormap)); err != nil {
			return nil, nil, err
		}
	}
	if !p.rendering.OverlayPNG && !p.rendering.ComparisonPNG {
		return x, nil, nil
	}
	overlay, err := p.overlay(m, grown, in)
	if err != nil || !p.rendering.OverlayPNG {
		return x, overlay, err
	}
	x.OverlayPNG, err = render.PNG(overlay)
	return x, overlay, err
}

// grow up-samples a raw map, always to a copy.
func (p *plan) grow(h *explaind.Heatmap, in *input, to Resolution) *explaind.Heatmap {
	how := p.rendering.Interpolation
	switch to {
	case ResolutionLayer:
		return h.Clone()
	case ResolutionOriginal:
		f := in.frame
		return render.Embed(h, f.X0, f.Y0, f.X1, f.Y1, in.original.Height, in.original.Width, how)
	default:
		height, width := in.size()
		return render.Upsample(h, height, width, how)
	}
}

// overlay lays the map over the picture of its size; a map of the layer's size is grown to the input's for it.
func (p *plan) overlay(m *rawMap, grown *explaind.Heatmap, in *input) (*image.RGBA, error) {
	under := p.under(in)
	if p.rendering.Resolution == ResolutionLayer {
		grown = p.grow(m.heatmap, in, ResolutionInput)
		grown.Normalize()
	}
	return render.Overlay(under.Pix, under.Width, under.Height, m.contrast().Apply(grown), p.rendering.Colormap, p.alpha)
}

// contrast is how the map is drawn best.
func (m *rawMap) contrast() render.Contrast {
	switch t := m.definition.Traits; {
	case t.Has(explain.Fine):
		return render.Clipped
	case t.Has(explain.Relative):
		return render.Stretched
	default:
		return render.FromZero
	}
}

// under is the picture that overlays are drawn over.
func (p *plan) under(in *input) *imaging.Picture {
	if p.rendering.Resolution == ResolutionOriginal {
		return in.original
	}
	return in.view
}

// union keeps each flag once.
func union(a, b []explaind.Flag) []explaind.Flag {
	var out []explaind.Flag
	seen := map[explaind.Flag]bool{}
	for _, f := range append(append([]explaind.Flag(nil), a...), b...) {
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}
