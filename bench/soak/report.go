package main

import (
	"fmt"
	"log"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the table at the end.
type report struct {
	scenario string // that runs now
	rows     []row
}

type row struct{ scenario, figure, measured, limit, verdict string }

const (
	held   = "ok"
	missed = "missed"
	broke  = "BROKEN"
)

func (r *report) add(figure, measured, limit, verdict string) {
	log.Println("  "+figure+": "+measured, verdict) // for those who wait
	r.rows = append(r.rows, row{r.scenario, figure, measured, limit, verdict})
}

// promise is a figure of correctness: it must hold on every machine.
func (r *report) promise(figure string, holds bool, measured, limit string) {
	verdict := held
	if !holds {
		verdict = broke
	}
	r.add(figure, measured, limit, verdict)
}

// count is a promise that something happens so often and not otherwise.
func (r *report) count(figure string, got, want int) {
	r.promise(figure, got == want, fmt.Sprint(got), fmt.Sprint(want))
}

// within is a time, which depends on the machine and on what else it does.
func (r *report) within(figure string, got, limit time.Duration) {
	r.aim(figure, got <= limit, got.Round(10*time.Microsecond).String(), "≤ "+limit.Round(10*time.Microsecond).String())
}

// aim is a figure that depends on the machine.
func (r *report) aim(figure string, holds bool, measured, limit string) {
	verdict := held
	if !holds {
		verdict = missed
	}
	r.add(figure, measured, limit, verdict)
}

// note is a figure without a limit.
func (r *report) note(figure, measured string) { r.add(figure, measured, "", "") }

func (r *report) broken(figure, why string) { r.add(figure, why, "", broke) }

func (r *report) isBroken() bool {
	for _, row := range r.rows {
		if row.verdict == broke {
			return true
		}
	}
	return false
}

func (r *report) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tFIGURE\tMEASURED\tLIMIT\tVERDICT")
	for _, row := range r.rows {
		fmt.Fprintln(w, strings.Join([]string{row.scenario, row.figure, row.measured, row.limit, row.verdict}, "\t"))
	}
	w.Flush()
	return out.String()
}
