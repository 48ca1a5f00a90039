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
	texts := []string{describe(err)}
	some, ran := errors.AsType[failedImages](err)
	several, listed := errors.AsType[problems](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled) && ran:
		texts[0] = fmt.Sprintf("interrupted: %d of %d images have no answer", some.failed, some.total)
	case errors.Is(ctx.Err(), context.Canceled):
		texts[0] = "interrupted"
	case listed:
		texts = nil
		for _, one := range several {
			texts = append(texts, describe(one))
		}
	}
	for _, text := range texts {
		fmt.Fprintln(a.stderr, "explaind:", text)
	}
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
		// Of this process, so its own flags help. A process that compiles for it may have said so already.
		if way := ownWaysOut[own.Reason]; !strings.HasSuffix(message, way) {
			message += way
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
	f.Message = inFlags(f.Message) + waysOut[f.Reason]
	return f
}

// orAlone is the way out of commands that can run a model themselves.
const orAlone = ", or leave it out to run the model in this process"

// ofServer rewords an error of a command that is about a server, and has no --model.
func ofServer(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	p := s.Proto()
	p.Message = strings.TrimPrefix(p.GetMessage(), "model: ")
	err = status.ErrorProto(p)
	if text, alone := strings.CutSuffix(failureOf(err).Message, orAlone); alone {
		return errors.New(text)
	}
	return err
}

// transport words what gRPC itself reports.
func transport(s *status.Status) string {
	switch s.Code() {
	case codes.Unavailable:
		if text := handshake(s.Message()); text != "" {
			return text + " (" + s.Message() + ")"
		}
		return "the server cannot be reached: " + s.Message() + "; check --server" + orAlone
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

// handshakes are the ways in which TLS fails, as gRPC words them, and what helps.
var handshakes = []struct{ sign, text string }{
	{"first record does not look like a TLS handshake", "the server does not speak TLS; leave out --tls and the flags that belong to it"},
	{"certificate signed by unknown authority", "the server's certificate is signed by nobody who is trusted here; name its authority by --tls-ca FILE"},
	{"certificate is not trusted", "the server's certificate is signed by nobody who is trusted here; name its authority by --tls-ca FILE"},
	{"certificate has expired", "the server's certificate has expired, or is not valid yet; whoever runs the server has to renew it"},
	{"certificate is valid for", "the server's certificate is for another host; if that is right, name it by --server-name HOST"},
	{"not valid for any names", "the server's certificate is for another host; if that is right, name it by --server-name HOST"},
	{"doesn't contain any IP SANs", "the server's certificate is for another host; if that is right, name it by --server-name HOST"},
	{"certificate required", "the server wants a certificate; show one by --tls-cert FILE --tls-key FILE"},
	{"tls: expired certificate", "the certificate of --tls-cert has expired; show a new one"},
	{"bad certificate", "the server does not trust the certificate of --tls-cert; show one that its authority has signed"},
	{"unknown certificate authority", "the server does not trust the certificate of --tls-cert; show one that its authority has signed"},
	// What a server says before it hangs up is not always read in time.
	{"error reading server preface", hungUp},
	{"write: broken pipe", hungUp},
}

const hungUp = "the server hung up; it may have stopped, or want TLS (--tls or --tls-ca FILE), or a certificate (--tls-cert FILE --tls-key FILE)"

// handshake says what helps against a TLS connection that failed, "" if it is something else.
func handshake(message string) string {
	for _, h := range handshakes {
		if strings.Contains(message, h.sign) {
			return h.text
		}
	}
	return ""
}

// ownWaysOut tell which flag mends what this process refuses, by its reason.
var ownWaysOut = map[string]string{
	"CACHE_UNWRITABLE":  `; choose a folder with --cache DIR, or none with --cache ""`,
	"NOT_ENOUGH_MEMORY": "; go on all the same with --memory-check=false",
}

// waysOut tell which flag mends what a server refuses, by its reason.
var waysOut = map[string]string{
	"TOKEN_MISSING":       "; name a file with one by --token-file FILE, or put it into " + tokenVariable,
	"BAD_AUTHORIZATION":   "; name a file with a token by --token-file FILE, or put it into " + tokenVariable,
	"CERTIFICATE_MISSING": "; show one by --tls-cert FILE --tls-key FILE",
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
