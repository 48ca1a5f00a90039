package telemetry

import (
	"regexp"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind/service/grpcserver"
)

// maxReasons bounds the values of the label reason. There are about a hundred in the source; the bound stands should one of
// them ever be made of something that callers send.
const maxReasons = 256

// otherReason stands for all reasons beyond the bound.
const otherReason = "OTHER"

var reasonForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// reasons are those that were seen.
type reasons struct {
	mu    sync.RWMutex
	known map[string]bool
}

// bounded is the reason itself, if it may be a label.
func (r *reasons) bounded(reason string) string {
	if reason == "" {
		return ""
	}
	r.mu.RLock()
	known := r.known[reason]
	r.mu.RUnlock()
	if known {
		return reason
	}
	if !reasonForm.MatchString(reason) {
		return otherReason
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if len(r.known) >= maxReasons {
		return otherReason
	}
	r.known[reason] = true
	return reason
}

// outcome is how a call or an item ended, in words for labels.
type outcome struct {
	code   codes.Code
	reason string
	shed   string // why load made the server refuse it, "" if it did not
	text   string // for people
}

// outcomeOf reads a status, or an error that will become one.
func outcomeOf(err error) outcome {
	if err == nil {
		return outcome{}
	}
	s := grpcserver.Status(err)
	o := outcome{code: s.Code(), reason: grpcserver.Reason(s), text: s.Message()}
	o.shed = shedBy(o.reason, s)
	return o
}

// The values of the label reason of shed_total.
const (
	shedQueueFull = "queue_full"
	shedDeadline  = "deadline"
	shedQuota     = "quota"
	shedDraining  = "draining"
)

func shedBy(reason string, s *status.Status) string {
	switch reason {
	case "OVERLOADED":
		return shedQueueFull
	case "DEADLINE_TOO_SHORT":
		return shedDeadline
	case "DEADLINE_EXCEEDED": // shed if the work had not begun
		if grpcserver.Metadata(s)["phase"] == "QUEUE" {
			return shedDeadline
		}
	case "CLIENT_LIMIT":
		return shedQuota
	case "SERVER_DRAINING":
		return shedDraining
	}
	return ""
}
