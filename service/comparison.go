package service

import (
	"fmt"
	"image"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/render"
)

// mostAcross is how many methods stand in one row of a figure; more are spread evenly over several rows.
const mostAcross = 7

// perRow is how many methods of n stand in one row.
func perRow(n int) int {
	rows := (n + mostAcross - 1) / mostAcross
	return (n + rows - 1) / rows
}

// comparison is one figure of the whole answer: a row, or several for many methods, per layer and target, in it the picture
// with the most probable class, then each method's overlay with the class it explains.
func (p *plan) comparison(answer *ExplainAnswer, spec *explaind.Spec, in *input, overlays []image.Image) ([]byte, error) {
	under := p.under(in)
	original := render.Panel{Image: rgba(under), Title: "Original", Subtitle: "predicted: " + scored(spec, bestOf(answer))}
	var rows [][]render.Panel
	for from := 0; from < len(overlays); from += len(p.methods) {
		row := []render.Panel{original}
		versus := p.targets[from/len(p.methods)%len(p.targets)].Versus
		for i := range p.methods {
			if i > 0 && i%perRow(len(p.methods)) == 0 {
				rows = append(rows, row)
				row = []render.Panel{original}
			}
			x := &answer.Explanations[from+i]
			subtitle := scored(spec, x.Target)
			if versus >= 0 {
				subtitle += " vs " + spec.Label(versus)
			}
			looks := !p.methods[i].Traits.Has(explain.OfInput)
			if looks && (len(p.layers) > 1 || x.Layer != spec.DefaultLayer) {
				subtitle += " · " + x.Layer
			}
			row = append(row, render.Panel{Image: overlays[from+i], Title: p.title(x.Method), Subtitle: subtitle})
		}
		rows = append(rows, row)
	}
	figure, err := render.Comparison(rows, "")
	if err != nil {
		return nil, explaind.AtField(err, "config.rendering.comparison_png")
	}
	return render.PNG(figure)
}

// title is the method's, or that of the form that the options make of it.
func (p *plan) title(m explaind.Method) string {
	if m == explaind.MethodSmoothGrad {
		switch p.options.Noise.Statistic {
		case explaind.NoiseVariance:
			return "VarGrad"
		case explaind.NoiseSquare:
			return "SquareGrad"
		}
	}
	return m.Title()
}

func bestOf(answer *ExplainAnswer) ClassScore {
	if len(answer.Predictions) == 0 {
		return ClassScore{}
	}
	return answer.Predictions[0]
}

// scored is "tabby 0.408".
func scored(spec *explaind.Spec, c ClassScore) string {
	return fmt.Sprintf("%s %.3f", spec.Label(c.Class), c.Probability)
}

func rgba(p *imaging.Picture) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(out.Pix[4*i:], p.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 0xff
	}
	return out
}
