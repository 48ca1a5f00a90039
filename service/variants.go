package service

import (
	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// variant is one of the images that AugSmooth averages over: mirrored left to right or not, and its values in the model's
// own units times a factor. They are those of the library pytorch-grad-cam.
type variant struct {
	mirrored bool
	factor   float32
}

var variantsOf = []variant{{false, 1}, {false, 0.9}, {false, 1.1}, {true, 1}, {true, 0.9}, {true, 1.1}}

// variants are those of x [H, W, C], as rows; the first one is x itself.
func variants(x *explaind.Tensor) *explaind.Tensor {
	out := explaind.NewTensor(append([]int{len(variantsOf)}, x.Shape...)...)
	width, channels := x.Shape[1], x.Shape[2]
	for v, of := range variantsOf {
		row := out.Row(v).Data
		for i, value := range x.Data {
			at := i
			if of.mirrored {
				line, pixel, channel := i/(width*channels), i/channels%width, i%channels
				at = (line*width+width-1-pixel)*channels + channel
			}
			row[at] = of.factor * value
		}
	}
	return out
}

// averaged is the mean of the variants' maps, each divided by its maximum and turned back. A variant that says nothing
// counts as zeros; the flags are those of the variants, but for what only the mean can tell.
func averaged(perVariant [][]explain.Answer) []explain.Answer {
	out := make([]explain.Answer, len(perVariant[0]))
	for t := range out {
		for v, answers := range perVariant {
			h := answers[t].Heatmap.Clone()
			out[t].Flags = union(out[t].Flags, union(answers[t].Flags, nonFinite(h.Normalize())))
			if out[t].Heatmap == nil {
				out[t].Heatmap = explaind.NewHeatmap(h.Height, h.Width)
			}
			for i, value := range h.Values {
				at := i
				if variantsOf[v].mirrored {
					at = i - i%h.Width + h.Width - 1 - i%h.Width
				}
				out[t].Heatmap.Values[at] += value / float32(len(perVariant))
			}
		}
	}
	return out
}

func nonFinite(flags []explaind.Flag) (kept []explaind.Flag) {
	for _, f := range flags {
		if f == explaind.FlagNonFinite {
			kept = append(kept, f)
		}
	}
	return kept
}
