package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tally keeps the accounts of requests. It may be used by many goroutines at once.
type tally struct {
	mu       sync.Mutex
	sent     int
	accepted []time.Duration // how long each answer took
	refused  []time.Duration // how long each refusal took: UNAVAILABLE with a reason of the server
	expired  int             // DEADLINE_EXCEEDED, of the client or of the server, whichever noticed first
	failed   map[string]int  // by what went wrong
	reasons  map[string]int  // of refusals
}

func newTally() *tally { return &tally{failed: map[string]int{}, reasons: map[string]int{}} }

// send counts a request out. What it returns is told what became of it, "" or what is wrong with the answer.
func (t *tally) send() func(err error, wrong string) {
	t.mu.Lock()
	t.sent++
	t.mu.Unlock()
	began := time.Now()
	return func(err error, wrong string) {
		took := time.Since(began)
		t.mu.Lock()
		defer t.mu.Unlock()
		reason := reasonOf(err)
		switch {
		case err == nil && wrong == "":
			t.accepted = append(t.accepted, took)
		case err == nil:
			t.failed[wrong]++
		case status.Code(err) == codes.Unavailable && reason != "":
			t.refused = append(t.refused, took)
			t.reasons[reason]++
		case status.Code(err) == codes.DeadlineExceeded:
			t.expired++
		case reason == "":
			t.failed[status.Code(err).String()+" without a reason: "+brief(status.Convert(err).Message())]++
		default:
			t.failed[status.Code(err).String()+" "+reason]++
		}
	}
}

// reasonOf is the reason that the server gave; "" if none did.
func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "explaind" {
			return info.GetReason()
		}
	}
	return ""
}

func brief(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func (t *tally) failures() (n int) {
	for _, count := range t.failed {
		n += count
	}
	return n
}

// account writes the balance into the report, and wants no failures. The tally must be at rest.
func (t *tally) account(r *report, what string) {
	t.balance(r, what)
	r.promise(what+" that failed", t.failures()+t.expired == 0, list(t.failed), "0")
}

// balance wants every request to be accounted for.
func (t *tally) balance(r *report, what string) {
	accepted, refused, failed := len(t.accepted), len(t.refused), t.failures()
	text := fmt.Sprintf("%d accepted + %d refused + %d failed of %d sent", accepted, refused, failed, t.sent)
	if t.expired > 0 {
		text = fmt.Sprintf("%d accepted + %d refused + %d expired + %d failed of %d sent", accepted, refused, t.expired, failed, t.sent)
	}
	r.promise(what, accepted+refused+t.expired+failed == t.sent, text, "adds up")
}

func list(counts map[string]int) string {
	if len(counts) == 0 {
		return "0"
	}
	var all []string
	for what, n := range counts {
		all = append(all, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(all)
	return strings.Join(all[:min(len(all), 4)], ", ")
}

// percentile of durations; 0 if there are none.
func percentile(times []time.Duration, p float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}
