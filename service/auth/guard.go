// Package auth decides who may call the server: TLS with certificates that are renewed while it runs, bearer tokens for
// groups of methods, and the name of the caller. It knows no handler, and no model.
package auth

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"strings"
	"time"

	authmw "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service/grpcserver"
)

// Guard lets a call through if its caller may make it. There are three ways:
//
//   - With tokens, each call needs one that opens the group of its method.
//   - Without tokens, but with certificates of clients, whoever has one may call all but the group Admin.
//   - Without both, everybody may call, the group Admin from this machine only.
//
// A method that is in no group is denied in any case, health checks are in none. A call is checked when it begins: a stream
// goes on when its token expires or is removed meanwhile.
// Safe for concurrent use.
type Guard struct {
	tokens       *followed[tokens] // nil for none
	certificates bool
	log          *slog.Logger
	denied       func(fullMethod string, err *explaind.Error)
}

// Options configure a Guard. The zero value lets everybody in.
type Options struct {
	Tokens       string        // the tokens file, YAML; "" for none
	Certificates *Certificates // the server's TLS; nil for none
	Log          *slog.Logger  // nil logs nothing
	// Denied is told of every call that Early refused, which no interceptor sees. It may be called by many goroutines at
	// once and must not wait.
	Denied func(fullMethod string, err *explaind.Error)
}

// New reads the tokens. The error is a *FileError: a file that cannot be read, or does not hold what it should.
func New(o Options) (*Guard, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{certificates: o.Certificates != nil && o.Certificates.mTLS, log: o.Log, denied: o.Denied}
	if o.Tokens == "" {
		return g, nil
	}
	var err error
	g.tokens, err = follow("the tokens file", []string{o.Tokens}, func(contents [][]byte) (*tokens, error) {
		warnIfShared(o.Tokens, "the tokens file", o.Log)
		all, err := parseTokens(o.Tokens, contents[0])
		if err == nil {
			all.warnOfDates(o.Tokens, o.Log)
		}
		return all, err
	}, o.Log)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Watch follows the tokens file until ctx ends.
func (g *Guard) Watch(ctx context.Context) {
	if g.tokens != nil {
		g.tokens.watch(ctx)
	}
}

// Interceptors check each call and name its caller in the context.
func (g *Guard) Interceptors() grpcserver.Interceptors {
	check := func(ctx context.Context) (context.Context, error) {
		method, _ := grpc.Method(ctx)
		caller, err := g.check(ctx, method)
		if err != nil {
			return nil, err
		}
		if caller == "" { // the server names it by its address
			return ctx, nil
		}
		named := explaind.CallerOf(ctx)
		named.Client = caller
		return explaind.WithCaller(ctx, named), nil
	}
	return grpcserver.Interceptors{
		Unary:  []grpc.UnaryServerInterceptor{authmw.UnaryServerInterceptor(check)},
		Stream: []grpc.StreamServerInterceptor{authmw.StreamServerInterceptor(check)},
	}
}

// Early checks each call once more, when its headers are here. gRPC reads and unpacks the message of a unary call before
// its interceptors run; whoever has no token shall not make the server do that. What does not exist is left to gRPC, which
// answers that it is unimplemented.
func (g *Guard) Early() grpc.ServerOption {
	return grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
		caller, failure := g.check(ctx, info.FullMethodName)
		if failure == nil {
			return ctx, nil
		}
		err := explaind.AsError(failure)
		if err.Reason == methodInNoGroup {
			return ctx, nil
		}
		status := grpcserver.Status(err)
		g.log.InfoContext(ctx, "denied", "method", clip(info.FullMethodName), "peer", hostOf(addressOf(ctx)), "client", caller, "code", status.Code().String(), "reason", err.Reason)
		if g.denied != nil {
			g.denied(info.FullMethodName, err)
		}
		return nil, status.Err()
	})
}

// check returns the caller's name, "" if it has shown none, or why the call is denied.
func (g *Guard) check(ctx context.Context, fullMethod string) (caller string, err error) {
	group, known := groupOf(fullMethod)
	if known && group == anyone {
		return "", nil
	}
	headers := metadata.ValueFromIncomingContext(ctx, "authorization")
	return g.admit(credentialsOf(ctx, headers), fullMethod, group)
}

// presented is what a caller shows.
type presented struct {
	authorization []string          // headers
	certificate   *x509.Certificate // verified; nil for none
	address       net.Addr          // nil in tests
}

func credentialsOf(ctx context.Context, authorization []string) presented {
	p := presented{authorization: authorization, address: addressOf(ctx)}
	if from, ok := peer.FromContext(ctx); ok {
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok {
			p.certificate = verified(info.State)
		}
	}
	return p
}

func addressOf(ctx context.Context) net.Addr {
	if from, ok := peer.FromContext(ctx); ok {
		return from.Addr
	}
	return nil
}

// admit is the decision, for gRPC and HTTP alike. A group that is "" is that of a method in none.
func (g *Guard) admit(p presented, what string, group Group) (caller string, err error) {
	switch {
	case g.tokens != nil:
		t, err := g.tokenOf(p.authorization)
		if err != nil {
			return "", err
		}
		return t.name, t.allows(what, group)
	case g.certificates && p.certificate == nil:
		return "", explaind.Errorf(explaind.Unauthenticated, "CERTIFICATE_MISSING",
			"this server wants a client's certificate; connect with one that it trusts")
	case g.certificates && group == Admin:
		return "", needsToken(what, "a certificate alone does not open it")
	case group == Admin && !isLocal(p.address):
		return "", needsToken(what, "without tokens it is open to the server's own machine only")
	case group == "":
		return "", inNoGroup(what)
	case g.certificates:
		return nameOf(p.certificate), nil
	default:
		return "", nil
	}
}

const methodInNoGroup = "METHOD_IN_NO_GROUP"

// clip bounds what a stranger writes into the log.
func clip(s string) string { return s[:min(len(s), 128)] }

func needsToken(what, why string) error {
	return forGroup(Admin, "%s wants a token of the group admin: %s; ask whoever runs the server for a tokens file", what, why)
}

func inNoGroup(what string) error {
	return explaind.Errorf(explaind.PermissionDenied, methodInNoGroup, "%s is not open to anybody", what)
}

func forGroup(group Group, format string, args ...any) error {
	e := explaind.Errorf(explaind.PermissionDenied, "GROUP_NOT_ALLOWED", format, args...)
	e.Metadata = map[string]string{"group": string(group)}
	return e
}

// tokenOf finds the token that the headers hold.
func (g *Guard) tokenOf(headers []string) (*token, error) {
	const how = "send the metadata authorization: Bearer TOKEN"
	if len(headers) == 0 || len(headers) == 1 && headers[0] == "" {
		return nil, explaind.Errorf(explaind.Unauthenticated, "TOKEN_MISSING", "this server wants a token; "+how)
	}
	if len(headers) > 1 {
		return nil, explaind.Errorf(explaind.Unauthenticated, "BAD_AUTHORIZATION", "there are %d authorization headers; send one", len(headers))
	}
	scheme, secret, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || !bearer.MatchString(secret) {
		return nil, explaind.Errorf(explaind.Unauthenticated, "BAD_AUTHORIZATION", "the authorization header is not understood; "+how)
	}
	t := g.tokens.get().find(secret)
	switch {
	case t == nil:
		return nil, explaind.Errorf(explaind.Unauthenticated, "TOKEN_UNKNOWN", "the token is not one of this server; ask whoever runs it for one")
	case t.expired(time.Now()):
		return nil, explaind.Errorf(explaind.Unauthenticated, "TOKEN_EXPIRED", "the token %s has expired; ask whoever runs the server for a new one", t.name)
	}
	return t, nil
}

// hostOf is an address without its port; "local" for what has none, as a socket in the file system.
func hostOf(a net.Addr) string {
	if a == nil {
		return "local"
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return "local"
	}
	return host
}

// isLocal tells whether a peer is on this machine.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}
