package explaind

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Code is what kind of failure an Error is. The values mean what gRPC means by them.
type Code int

// The codes.
const (
	Internal Code = iota
	InvalidArgument
	NotFound
	FailedPrecondition
	Unavailable
	ResourceExhausted
	DeadlineExceeded
	Canceled
	Unauthenticated
	PermissionDenied
)

// Error is every failure that a caller sees. Its text goes over the wire, so it holds no paths of the server's own
// files, says what was expected and tells what to do next. What is lost at the wire is Err, which only logs see.
type Error struct {
	Code         Code
	Reason       string            // UPPER_SNAKE, stable, for programs
	Message      string            // for people
	Field        string            // the request's field, for InvalidArgument
	ResourceType string            // "model", "layer", …, for NotFound; "client" for ResourceExhausted
	ResourceName string            // for NotFound, and for ResourceExhausted if a quota of somebody is used up
	Metadata     map[string]string // limits, nearest names, …
	RetryAfter   time.Duration     // for Unavailable and ResourceExhausted
	Err          error             // the cause
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error. A %w in the format becomes its cause.
func Errorf(code Code, reason, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: reason, Message: err.Error(), Err: errors.Unwrap(err)}
}

// FieldError is an InvalidArgument that names the request's field.
func FieldError(field, reason, format string, args ...any) *Error {
	e := Errorf(InvalidArgument, reason, format, args...)
	e.Field = field
	return e
}

// AtField returns err with the request's field named, if it is an Error without one.
func AtField(err error, field string) error {
	var e *Error
	if !errors.As(err, &e) || e.Field != "" {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

// NotFoundError is a NotFound that lists the names nearest to the one that was asked for.
func NotFoundError(resourceType, name string, known []string) *Error {
	near := nearest(name, known, 3)
	e := &Error{
		Code: NotFound, Reason: strings.ToUpper(resourceType) + "_NOT_FOUND",
		ResourceType: resourceType, ResourceName: name,
		Message: fmt.Sprintf("%s %q does not exist", resourceType, name),
	}
	if len(near) > 0 {
		e.Message += "; nearest: " + strings.Join(near, ", ")
		e.Metadata = map[string]string{"nearest": strings.Join(near, ",")}
	} else {
		e.Message += "; there is none"
	}
	return e
}

// FromContext turns the end of a context into an Error; nil if it has not ended. If its cause is an Error, that is the one.
func FromContext(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause, known := errors.AsType[*Error](context.Cause(ctx))
	switch {
	case known:
		return cause
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the work was done; allow more time, or ask for fewer methods, layers, targets or passes")
	default:
		return Errorf(Canceled, "CANCELED", "the caller went away before the work was done")
	}
}

// AsError returns the *Error in err's chain, or an Internal one around it.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: Internal, Reason: "INTERNAL", Message: "an internal error happened; the server's log has the cause", Err: err}
}

// nearest returns up to n of the known names, by edit distance without regard to case.
func nearest(name string, known []string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	candidates := make([]candidate, 0, len(known))
	for _, k := range known {
		candidates = append(candidates, candidate{k, editDistance(strings.ToLower(name), strings.ToLower(k))})
	}
	sort.SliceStable(candidates, func(i, j int) bool { return candidates[i].distance < candidates[j].distance })
	var out []string
	for _, c := range candidates[:min(n, len(candidates))] {
		out = append(out, c.name)
	}
	return out
}

// editDistance is Levenshtein's, on bytes, of at most the first 64 bytes: names come from clients.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
