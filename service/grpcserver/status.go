package grpcserver

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/explaind/explaind"
)

// Domain is the domain of the reasons in google.rpc.ErrorInfo.
const Domain = "explaind"

// Texts are cut: they repeat names that clients sent, and a status travels in HTTP/2 trailers, which clients bound to a
// few KiB.
const (
	maxMessage = 1024
	maxName    = 256
)

// Status turns an error into what goes over the wire: a code, a text, ErrorInfo and the detail that belongs to the code.
// Causes (Error.Err) are lost here; they are for logs. A status that gRPC itself made is left as it is.
func Status(err error) *status.Status {
	if err == nil {
		return nil
	}
	var e *explaind.Error
	if !errors.As(err, &e) {
		if s, ok := status.FromError(err); ok {
			return s
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			e = explaind.Errorf(explaind.DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline passed before the work was done; allow more time")
		case errors.Is(err, context.Canceled):
			e = explaind.Errorf(explaind.Canceled, "CANCELED", "the caller went away before the work was done")
		default:
			e = explaind.AsError(err)
		}
	}
	s := status.New(code(e.Code), clip(e.Error(), maxMessage))
	detailed, err := s.WithDetails(details(e)...)
	if err != nil { // a detail that does not marshal; the code and text still tell
		return s
	}
	return detailed
}

func code(c explaind.Code) codes.Code {
	switch c {
	case explaind.InvalidArgument:
		return codes.InvalidArgument
	case explaind.NotFound:
		return codes.NotFound
	case explaind.FailedPrecondition:
		return codes.FailedPrecondition
	case explaind.Unavailable:
		return codes.Unavailable
	case explaind.ResourceExhausted:
		return codes.ResourceExhausted
	case explaind.DeadlineExceeded:
		return codes.DeadlineExceeded
	case explaind.Canceled:
		return codes.Canceled
	case explaind.Unauthenticated:
		return codes.Unauthenticated
	case explaind.PermissionDenied:
		return codes.PermissionDenied
	default:
		return codes.Internal
	}
}

func details(e *explaind.Error) []protoadapt.MessageV1 {
	info := &errdetails.ErrorInfo{Reason: e.Reason, Domain: Domain}
	if len(e.Metadata) > 0 {
		info.Metadata = map[string]string{}
		for k, v := range e.Metadata {
			info.Metadata[k] = clip(v, maxName)
		}
	}
	out := []protoadapt.MessageV1{info}
	text := clip(e.Message, maxMessage)
	switch e.Code {
	case explaind.InvalidArgument:
		out = append(out, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: e.Field, Description: text, Reason: e.Reason}}})
	case explaind.NotFound:
		out = append(out, &errdetails.ResourceInfo{ResourceType: e.ResourceType, ResourceName: clip(e.ResourceName, maxName), Description: text})
	case explaind.FailedPrecondition:
		out = append(out, &errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: e.Reason, Subject: e.Field, Description: text}}})
	case explaind.ResourceExhausted:
		if e.RetryAfter > 0 { // a quota, which time mends; else something is too large
			out = append(out, &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{
				{Subject: e.ResourceType + ":" + clip(e.ResourceName, maxName), Description: text}}})
		}
	}
	if after := retryAfter(e); after > 0 {
		out = append(out, &errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	return out
}

// clip cuts at a rune's beginning. It also makes UTF-8 of names that come from files: protobuf sends nothing else, and an
// error that cannot be sent would end a stream.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
