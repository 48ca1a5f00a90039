package batch

import "github.com/explaind/explaind"

// One run of several requests has at most so many numbers of input, since a network keeps some hundred numbers for each of
// them, and so many numbers of evidence, all of which are copied. A single request may have more: what one may cost is
// bounded elsewhere.
const (
	inputNumbers    = 4 << 20
	evidenceNumbers = 16 << 20
)

// sizes knows how large the tensors of a model are.
type sizes struct {
	maxRows      int
	fixed        bool // a run always has maxRows rows
	outputsByRow bool // every output of the signature has one row per image
	layers       map[string]explaind.Layer
}

func newSizes(spec *explaind.Spec, maxRows int) sizes {
	s := sizes{maxRows: maxRows, outputsByRow: true, layers: map[string]explaind.Layer{}}
	if spec.Input.Batch > 0 { // rows beyond it take another run, after the first
		s.maxRows, s.fixed = spec.Input.Batch, true
	}
	for _, out := range spec.Outputs {
		byRow := len(out.Shape) > 0 && (out.Shape[0] == -1 || s.fixed && out.Shape[0] == spec.Input.Batch)
		s.outputsByRow = s.outputsByRow && byRow
	}
	for _, l := range spec.Layers {
		s.layers[l.Name] = l
	}
	return s
}

// limit is how many rows a run may have whose rows have so many numbers each.
func (s *sizes) limit(input, evidence int) int {
	rows := min(s.maxRows, evidenceNumbers/max(evidence, 1))
	if !s.fixed {
		rows = min(rows, inputNumbers/max(input, 1))
	}
	return max(rows, 1)
}

// evidence is how many numbers an explanation brings per row or target, for images of a size; not known if it names a layer
// that the spec does not have under that name.
func (s *sizes) evidence(r *explaind.ExplainRequest, height, width int) (numbers int, known bool) {
	for _, name := range r.Layers {
		l, ok := s.layers[name]
		if !ok {
			return 0, false
		}
		numbers += side(l.Height, height, l.Stride) * side(l.Width, width, l.Stride) * l.Channels
	}
	if r.Needs.Has(explaind.NeedsGradients) {
		numbers *= 2
	}
	return numbers, true
}

// side is the height or width of a layer.
func side(known, ofInput, stride int) int {
	if known > 0 {
		return known
	}
	return ofInput / max(stride, 1)
}
