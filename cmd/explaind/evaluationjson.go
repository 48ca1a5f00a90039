package main

// evaluationLine is what evaluate --json prints for a method on a layer.
type evaluationLine struct {
	Method     string         `json:"method"`
	Layer      string         `json:"layer"`
	Images     int            `json:"images"`
	Drop       number         `json:"average_drop_percent"`
	Increase   number         `json:"increase_percent"`
	Gain       number         `json:"average_gain_percent"`
	Win        *number        `json:"win_percent,omitempty"`
	BeatsFirst *number        `json:"beats_first_percent,omitempty"`
	Deletion   number         `json:"deletion_auc"`
	Insertion  number         `json:"insertion_auc"`
	ROAD       number         `json:"road"`
	Flags      map[string]int `json:"flags"`
	HeadRandom *number        `json:"rank_correlation_random_head,omitempty"`
	AllRandom  *number        `json:"rank_correlation_random_weights,omitempty"`
}

// printEvaluation prints the table, or a line for each of its rows.
func (r *report) printEvaluation(e *evaluation) error {
	if !r.json {
		text := e.table()
		if e.sanity != nil {
			text += e.sanityTable()
		}
		return r.print("%s", text)
	}
	for i, row := range e.rows {
		line := evaluationLine{
			Method: row.method, Layer: row.layer, Images: row.drop.n,
			Drop: number(row.drop.percent()), Increase: number(row.increase.percent()), Gain: number(row.gain.percent()),
			Deletion: number(row.deletion.value()), Insertion: number(row.insertion.value()), ROAD: number(row.road.value()), Flags: row.flags,
		}
		if len(e.rows) > 1 {
			line.Win = given(row.win.percent())
		}
		if len(e.rows) > 2 && i > 0 {
			line.BeatsFirst = given(row.beatsFirst.percent())
		}
		if e.sanity != nil {
			line.HeadRandom, line.AllRandom = given(row.head.value()), given(row.all.value())
		}
		if err := r.printJSON(line); err != nil {
			return err
		}
	}
	return nil
}

func given(v float64) *number {
	n := number(v)
	return &n
}
