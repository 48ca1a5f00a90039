package grpcserver

import (
	"context"
	"crypto/rand"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
)

// RequestIDHeader is the metadata in which a caller may name its request. Every answer carries the name in its header; those
// that ask the caller to try again carry it in their trailer.
const RequestIDHeader = "x-request-id"

// maxRequestID bounds ids that callers choose, in bytes: they stand on every line of the log.
const maxRequestID = 128

// request is what the log tells of a call on each of its lines.
type request struct {
	id     string
	client string // written before the handler begins, "" until then
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// RequestID is the id of the call that ctx belongs to, "" outside of calls.
func RequestID(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.id
	}
	return ""
}

// Client is the name of the caller that ctx belongs to. Unlike explaind.CallerOf it knows it also in the contexts of
// interceptors around the guards, once these have let the call through; "" before.
func Client(ctx context.Context) string {
	if r := requestOf(ctx); r != nil {
		return r.client
	}
	return ""
}

// noteClient keeps the caller's name for the interceptors around.
func noteClient(ctx context.Context) {
	if r := requestOf(ctx); r != nil {
		r.client = explaind.CallerOf(ctx).Client
	}
}

// withRequest names the call: as its caller does, if that is sane, else by a random text. It returns the metadata that
// tells the caller.
func withRequest(ctx context.Context) (context.Context, metadata.MD) {
	id := rand.Text()
	if given := metadata.ValueFromIncomingContext(ctx, RequestIDHeader); len(given) == 1 && sane(given[0]) {
		id = given[0]
	}
	return context.WithValue(ctx, requestKey{}, &request{id: id}), metadata.Pairs(RequestIDHeader, id)
}

// sane tells whether a caller's id may stand in the log: it looks like an id, and not like a line of the log, a path to be
// opened or something to be run.
func sane(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '+', c == '=', c == '@':
		default:
			return false
		}
	}
	return true
}

func requestUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, id := withRequest(ctx)
	resp, err := handler(ctx, req)
	if retried(err) {
		_ = grpc.SetTrailer(ctx, id) // fails only where there is no call
	} else {
		_ = grpc.SetHeader(ctx, id)
	}
	return resp, err
}

// retried tells of errors after which clients may send the call again. gRPC's own retries take up only answers that have no
// header.
func retried(err error) bool {
	c := status.Code(err)
	return c == codes.Unavailable || c == codes.ResourceExhausted
}

func requestStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, id := withRequest(stream.Context())
	named := &namedStream{ServerStream: stream, ctx: ctx, id: id}
	err := handler(srv, named)
	switch {
	case named.sent:
	case retried(err):
		stream.SetTrailer(id)
	default:
		_ = stream.SetHeader(id) // fails only where there is no call
	}
	return err
}

// namedStream has the id in the header before its first message.
type namedStream struct {
	grpc.ServerStream
	ctx  context.Context
	id   metadata.MD
	sent bool
}

func (s *namedStream) Context() context.Context { return s.ctx }

func (s *namedStream) SendMsg(m any) error {
	if !s.sent {
		s.sent = true
		_ = s.SetHeader(s.id) // fails only once the header was sent
	}
	return s.ServerStream.SendMsg(m)
}

// StatusIn is Status. If the error is an internal one, google.rpc.RequestInfo tells the caller under which id the log of
// ctx's call has the cause.
func StatusIn(ctx context.Context, err error) *status.Status {
	s := Status(err)
	id := RequestID(ctx)
	if s.Code() != codes.Internal || id == "" {
		return s
	}
	detailed, err := s.WithDetails(&errdetails.RequestInfo{RequestId: id})
	if err != nil { // a detail that does not marshal; the header has the id too
		return s
	}
	return detailed
}
