package batch

import "github.com/explaind/explaind"

// join puts the rows of requests with one key below each other. They are copied, so that a caller can return, and use its
// memory anew, while the others' run goes on.
func join(group []*request) *request {
	first := group[0]
	out := &request{ask: first.ask}
	rows := 0
	for _, r := range group {
		rows += r.rows()
	}
	shape := append([]int{rows}, first.images.Shape[1:]...)
	out.images = &explaind.Tensor{Shape: shape, Data: make([]float32, 0, explaind.Elements(shape))}
	for _, r := range group {
		out.images.Data = append(out.images.Data, r.images.Data...)
	}
	if first.explain == nil {
		return out
	}
	x := *first.explain
	x.Images, x.Targets = out.images, make([][]explaind.Target, 0, rows)
	for _, r := range group {
		x.Targets = append(x.Targets, r.explain.Targets...)
	}
	out.explain = &x
	return out
}

// split gives every request its own rows of the answer; not ok if the answer does not have one row for each of theirs.
func split(group []*request, a answer) (answers []answer, ok bool) {
	rows := 0
	for _, r := range group {
		rows += r.rows()
	}
	p := a.prediction
	if a.explained != nil {
		p = a.explained.Prediction
	}
	if !byRow(p, rows) {
		return nil, false
	}
	answers = make([]answer, len(group))
	from, evidence := 0, 0
	for i, r := range group {
		to := from + r.rows()
		own := part(p, from, to)
		if r.explain == nil {
			answers[i].prediction = own
		} else {
			end := evidence + evidenceCount(r.explain)
			if end > len(a.explained.Evidence) {
				return nil, false
			}
			answers[i].explained = &explaind.ExplainResult{Prediction: own, Evidence: a.explained.Evidence[evidence:end:end]}
			renumber(answers[i].explained.Evidence, from, r.images)
			evidence = end
		}
		from = to
	}
	return answers, a.explained == nil || evidence == len(a.explained.Evidence)
}

// byRow tells whether a prediction has so many rows everywhere.
func byRow(p *explaind.Prediction, rows int) bool {
	has := func(t *explaind.Tensor) bool { return t != nil && len(t.Shape) > 0 && t.Shape[0] == rows }
	if p == nil || !has(p.Logits) || !has(p.Probabilities) {
		return false
	}
	for _, out := range p.Outputs {
		if !has(out.Tensor) {
			return false
		}
	}
	return true
}

// part is rows [from, to) of a prediction. The data is shared.
func part(p *explaind.Prediction, from, to int) *explaind.Prediction {
	own := &explaind.Prediction{Logits: p.Logits.Slice(from, to), Probabilities: p.Probabilities.Slice(from, to)}
	for _, out := range p.Outputs {
		own.Outputs = append(own.Outputs, explaind.NamedTensor{Name: out.Name, Tensor: out.Tensor.Slice(from, to)})
	}
	return own
}

// evidenceCount is how many pieces of evidence a request is answered with: one for every row, layer and target.
func evidenceCount(r *explaind.ExplainRequest) int {
	n := 0
	for _, row := range r.Targets {
		n += len(row)
	}
	return n * max(len(r.Layers), 1)
}

// renumber makes the rows of evidence those of the request's own images, and the images its own.
func renumber(evidence []explaind.Evidence, first int, images *explaind.Tensor) {
	for i := range evidence {
		evidence[i].Row -= first
		evidence[i].Input = images.Row(evidence[i].Row)
	}
}
