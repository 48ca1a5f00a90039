package main

import (
	"fmt"
	"math"
)

// report prints what was measured, and what follows.
func (s *setup) report(model string, all field, cores int) {
	fmt.Printf("\n### %s\n\n| contestant | images/s | p50 ms | p99 ms | CPU ms/image |\n|---|---:|---:|---:|---:|\n", model)
	for _, c := range all {
		fmt.Printf("| %s | %.1f | %.2f | %.2f | %.2f |\n", c.name, c.rate(), c.latency(0.5), c.latency(0.99), c.work())
	}
	fmt.Println("\n| server | × 8 / best session | the same, decoding counted | × 1 − one program, ms | × 1 / one program | × 1 / (session + decoding) |\n|---|---:|---:|---:|---:|---:|")
	for _, row := range []struct{ server, session, decoding string }{
		{predictTensor, predictBare, decodeTensor},
		{explainTensor, explainBare, decodeTensor},
		{predictJPEG, predictBare, decodeJPEG},
		{explainJPEG, explainBare, decodeJPEG},
	} {
		eight, one, session, decoding := all.named(title(row.server, 8)), all.named(title(row.server, 1)), all.named(title(row.session, 1)), all.named(row.decoding)
		both := all.named(program(row.server))
		if eight == nil || one == nil || session == nil || decoding == nil || both == nil {
			continue
		}
		best := all.best(row.session, s.batches)
		// What the cores can do at best, if decoding keeps one of them busy per image.
		possible := 1 / (1/best + decoding.latency(0.5)/1e3/float64(cores))
		alone := session.latency(0.5)
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", row.server, eight.rate()/best, eight.rate()/possible,
			one.latency(0.5)-both.latency(0.5), one.latency(0.5)/both.latency(0.5), one.latency(0.5)/(alone+decoding.latency(0.5)))
	}
}

// best is the largest rate of a session at any batch size.
func (f field) best(session string, batches []int) float64 {
	best := math.SmallestNonzeroFloat64
	for _, n := range batches {
		if c := f.named(title(session, n)); c != nil {
			best = max(best, c.rate())
		}
	}
	return best
}
