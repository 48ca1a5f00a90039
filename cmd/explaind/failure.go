package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service/grpcserver"
)

// The exit statuses.
const (
	statusGood       = 0
	statusSomeFailed = 1
	statusNotStarted = 2
)

// failedImages is the error of a command that ran, but not for every image.
type failedImages struct{ failed, total int }

func (f failedImages) Error() string {
	if f.total == 1 {
		return "the image failed"
	}
	return fmt.Sprintf("%d of %d images failed", f.failed, f.total)
}

// unfinished is the error of a command whose images are done, but not all that was to come of them.
type unfinished struct{ error }

func (u unfinished) Unwrap() error { return u.error }

// exit prints why a command failed and returns the status to exit with.
func (a *app) exit(ctx context.Context, err error) int {
	if err == nil {
		return statusGood
	}
	text := describe(err)
	some, ran := errors.AsType[failedImages](err)
	if errors.Is(ctx.Err(), context.Canceled) {
		text = "interrupted"
		if ran {
			text = fmt.Sprintf("interrupted: %d of %d images have no answer", some.failed, some.total)
		}
	}
	fmt.Fprintln(a.stderr, "explaind:", text)
	if _, late := errors.AsType[unfinished](err); late || ran {
		return statusSomeFailed
	}
	return statusNotStarted
}

// failure is an error in the words of a person and of a program.
type failure struct {
	Code    string `json:"code"`             // "INVALID_ARGUMENT"
	Reason  string `json:"reason,omitempty"` // "IMAGE_DECODE_FAILED"
	Message string `json:"message"`
}

// describe is an error as one line for a person.
func describe(err error) string {
	f := failureOf(err)
	if f.Code == codeName(codes.Canceled) {
		return "interrupted"
	}
	if f.Reason == "" {
		return printable(f.Message)
	}
	return fmt.Sprintf("%s (%s)", printable(f.Message), f.Reason)
}

// failureOf takes an error of this process, or one that came as a gRPC status, apart.
func failureOf(err error) failure {
	if own, ok := errors.AsType[*explaind.Error](err); ok {
		message := inFlags(err.Error())
		if own.Reason == "CACHE_UNWRITABLE" { // of this process: only its own flags help
			message += `; choose a folder with --cache DIR, or none with --cache ""`
		}
		return failure{Code: codeName(grpcserver.Status(own).Code()), Reason: own.Reason, Message: message}
	}
	s, ok := status.FromError(err)
	if !ok {
		return failure{Code: codeName(codes.Unknown), Message: err.Error()}
	}
	f := failure{Code: codeName(s.Code()), Message: s.Message()}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			f.Reason = info.GetReason()
		}
	}
	if f.Reason == "" {
		f.Message = transport(s)
	}
	f.Message = inFlags(f.Message)
	return f
}

// transport words what gRPC itself reports.
func transport(s *status.Status) string {
	switch s.Code() {
	case codes.Unavailable:
		return "the server cannot be reached: " + s.Message() + "; check --server, or leave it out to run the model in this process"
	case codes.Canceled:
		return "interrupted"
	case codes.DeadlineExceeded:
		return "the time of --timeout has passed; allow more"
	case codes.Unimplemented:
		return "the server does not know this call (" + s.Message() + "); does --server name the gRPC address of an explaind of this version?"
	case codes.ResourceExhausted:
		return s.Message() + "; send smaller images or ask for fewer explanations at a time"
	default:
		return s.Message()
	}
}

// fields are the request's fields as errors name them, and the flags that set them.
var fields = []struct {
	pattern *regexp.Regexp
	flag    string
}{
	{regexp.MustCompile(`^(config\.)?layers(\[\d+\])?: `), "--layer: "},
	{regexp.MustCompile(`^(config\.)?methods(\[\d+\])?: `), "--method: "},
	{regexp.MustCompile(`^(config\.)?targets\[\d+\]\.(class_index|label): `), "--class: "},
	{regexp.MustCompile(`^(config\.)?targets\[\d+\]\.rank: `), "--rank: "},
	{regexp.MustCompile(`^(config\.)?targets\[\d+\]\.versus_class_index: `), "--versus: "},
	{regexp.MustCompile(`^(config\.)?top_k: `), "--top-k: "},
	{regexp.MustCompile(`^(config\.)?rendering\.alpha: `), "--alpha: "},
	{regexp.MustCompile(`^config: `), ""},
	{regexp.MustCompile(`^model: `), "--model: "},
	{regexp.MustCompile(`^(item\.)?image\.encoded: `), ""},
}

// option is a field of the methods' settings, whose flag has the same name.
var option = regexp.MustCompile(`^config\.options\.([a-z_.]+): `)

// inFlags names the flag where the text begins with the field that it set.
func inFlags(message string) string {
	if at := option.FindStringSubmatch(message); at != nil {
		return "--" + strings.NewReplacer(".", "-", "_", "-").Replace(at[1]) + ": " + message[len(at[0]):]
	}
	message = strings.ReplaceAll(message, "config.options", "the method options")
	for _, f := range fields {
		if at := f.pattern.FindStringIndex(message); at != nil {
			return f.flag + message[at[1]:]
		}
	}
	return message
}

// codeName is a code as the protocol spells it: NOT_FOUND.
func codeName(c codes.Code) string {
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && 'A' <= r && r <= 'Z' && c != codes.OK {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}
