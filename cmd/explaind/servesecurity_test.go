package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/explaind/explaind/internal/testpki"
)

// secret makes a token that passes for a random one.
func secret(name string) string { return (name + strings.Repeat("0123456789abcdef", 4))[:64] }

func tokensFile(t *testing.T) string {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "tokens.yaml"), fmt.Sprintf(`
- {name: notebook, token: %s, groups: [predict, explain, models]}
- {name: lister, token: %s, groups: [models]}
- {name: old, token: %s, groups: [predict, models], expires: 2020-01-01}
`, secret("notebook"), secret("lister"), secret("old")))
	must(t, os.Chmod(path, 0o600))
	return path
}

// What cannot be served safely is not served; the text names the flags that help.
func TestServeRefuses(t *testing.T) {
	r := newRig(t, "colours")
	ca, tokens := testpki.New(t, "ours"), tokensFile(t)
	own, twin := ca.Server("own"), ca.Server("twin")
	absent := filepath.Join(t.TempDir(), "absent")
	pair := []string{"--tls-cert", own.Cert, "--tls-key", own.Key}
	with := func(args ...string) []string { return append(append([]string{}, pair...), args...) }
	for what, c := range map[string]struct {
		args []string
		want []string
	}{
		"public":                        {[]string{"--grpc", "0.0.0.0:0"}, []string{"--grpc 0.0.0.0:0", "--tls-cert", "--tls-key", "--tokens", "--tls-client-ca", "127.0.0.1", "--insecure"}},
		"public, no host":               {[]string{"--grpc", ":0"}, []string{"--grpc :0", "--insecure"}},
		"public IPv6":                   {[]string{"--grpc", "[::]:0"}, []string{"--grpc [::]:0", "--insecure"}},
		"public HTTP":                   {[]string{"--http", "0.0.0.0:0"}, []string{"--http 0.0.0.0:0", "--tls-cert", "--insecure"}},
		"public with tokens only":       {[]string{"--grpc", ":0", "--tokens", tokens}, []string{"nothing is encrypted", "--tls-cert"}},
		"public with TLS only":          {with("--grpc", ":0"), []string{"callers show nothing", "--tokens", "--tls-client-ca"}},
		"public HTTP with TLS only":     {with("--http", ":0"), []string{"--http :0", "--tokens"}},
		"admin without tokens":          {[]string{"--grpc", ":0", "--admin", "--insecure"}, []string{"--admin wants --tokens"}},
		"admin with certificates only":  {with("--grpc", ":0", "--admin", "--tls-client-ca", ca.File), []string{"--admin wants --tokens"}},
		"no key":                        {[]string{"--tls-cert", own.Cert}, []string{"--tls-key is missing"}},
		"no certificate":                {[]string{"--tls-key", own.Key}, []string{"--tls-cert is missing"}},
		"authority without certificate": {[]string{"--tls-client-ca", ca.File}, []string{"--tls-cert and --tls-key are missing"}},
		"another's key":                 {[]string{"--tls-cert", own.Cert, "--tls-key", twin.Key}, []string{"--tls-key " + twin.Key, "is not the key"}},
		"absent certificate":            {[]string{"--tls-cert", absent, "--tls-key", own.Key}, []string{"--tls-cert " + absent, "no such file"}},
		"absent key":                    {[]string{"--tls-cert", own.Cert, "--tls-key", absent}, []string{"--tls-key " + absent, "no such file"}},
		"absent authority":              {with("--tls-client-ca", absent), []string{"--tls-client-ca " + absent, "no such file"}},
		"absent tokens":                 {[]string{"--tokens", absent}, []string{"--tokens " + absent, "no such file"}},
		"tokens that are none":          {[]string{"--tokens", own.Cert}, []string{"--tokens " + own.Cert, "want one list"}},
		"a host that does not exist":    {[]string{"--grpc", "host.invalid:0"}, []string{"--grpc host.invalid:0"}},
	} {
		args := append([]string{"serve", "--models", r.models, "--grpc", "127.0.0.1:0", "--http", ""}, c.args...)
		o := r.run(args...)
		o.want(t, statusNotStarted, c.want...)
		if t.Failed() {
			t.Fatalf("%s", what)
		}
	}
}

// The ways in which a port that other machines reach is served.
func TestServePublicly(t *testing.T) {
	r := newRig(t, "colours")
	ca, tokens := testpki.New(t, "ours"), tokensFile(t)
	own := ca.Server("own")
	pair := []string{"--tls-cert", own.Cert, "--tls-key", own.Key}
	for what, c := range map[string]struct {
		args   []string
		warned string
	}{
		"insecure":             {[]string{"--insecure"}, "nothing is encrypted (--tls-cert FILE --tls-key FILE) and the callers show nothing"},
		"behind a proxy":       {[]string{"--insecure", "--tokens", tokens}, "nothing is encrypted"},
		"tokens":               {append([]string{"--tokens", tokens}, pair...), ""},
		"certificates":         {append([]string{"--tls-client-ca", ca.File}, pair...), ""},
		"tokens and the admin": {append([]string{"--tokens", tokens, "--admin"}, pair...), ""},
	} {
		s := r.serve(append([]string{"--models", r.models, "--grpc", "0.0.0.0:0", "--http", "[::]:0"}, c.args...)...)
		s.wait("msg=ready")
		for _, flag := range []string{"--grpc", "--http"} {
			if got := strings.Contains(s.log.String(), "other machines reach "+flag+", and "+c.warned); got != (c.warned != "") {
				t.Errorf("%s: the log is %s", what, s.log)
			}
		}
		s.stop()
		s.ended(statusGood)
	}
}

// The whole way: TLS, certificates and tokens, from the command line of a client to that of a server.
func TestSecureServer(t *testing.T) {
	t.Setenv(tokenVariable, "")
	r := newRig(t, "colours")
	ca, other := testpki.New(t, "ours"), testpki.New(t, "theirs")
	own, me := ca.Server("own"), ca.Issue("me", testpki.Leaf{Name: "me"})
	stranger := other.Issue("stranger", testpki.Leaf{Name: "stranger"})
	tokens := tokensFile(t)
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	token := func(name string) string {
		return write(t, filepath.Join(t.TempDir(), "token"), secret(name)+"\n")
	}
	s := r.serve("--models", r.models, "--tls-cert", own.Cert, "--tls-key", own.Key, "--tls-client-ca", ca.File, "--tokens", tokens)
	s.wait("msg=ready")
	good := []string{"--tls-ca", ca.File, "--tls-cert", me.Cert, "--tls-key", me.Key, "--token-file", token("notebook")}
	ask := func(command string, args ...string) outcome {
		if command == "models" {
			return r.run(append([]string{command, "--server", s.grpc}, args...)...)
		}
		return r.run(append([]string{command, picture, "--server", s.grpc, "--model", "colours", "--timeout", "20s"}, args...)...)
	}
	for _, command := range []string{"predict", "models"} {
		ask(command, good...).want(t, statusGood)
		ask(command).want(t, statusNotStarted, "--tls-ca FILE")
		ask(command, "--tls").want(t, statusNotStarted, "name its authority by --tls-ca FILE")
		ask(command, "--tls-ca", ca.File).want(t, statusNotStarted, "--tls-cert FILE --tls-key FILE")
		ask(command, "--tls-ca", ca.File, "--tls-cert", stranger.Cert, "--tls-key", stranger.Key).want(t, statusNotStarted, "--tls-cert")
		ask(command, "--tls-ca", other.File).want(t, statusNotStarted, "name its authority by --tls-ca FILE")
		ask(command, append(good, "--server-name", "elsewhere")...).want(t, statusNotStarted, "--server-name HOST")
		ask(command, good[:6]...).want(t, statusNotStarted, "TOKEN_MISSING", "--token-file FILE")
		ask(command, append(good, "--token-file", token("unknown"))...).want(t, statusNotStarted, "TOKEN_UNKNOWN")
		ask(command, append(good, "--token-file", token("old"))...).want(t, statusNotStarted, "TOKEN_EXPIRED", "old")
	}
	ask("models", append(good, "--token-file", token("lister"))...).want(t, statusGood)
	ask("predict", append(good, "--token-file", token("lister"))...).want(t, statusNotStarted, "GROUP_NOT_ALLOWED", "lister", "predict")
	t.Setenv(tokenVariable, secret("notebook"))
	ask("predict", good[:6]...).want(t, statusGood)
	t.Setenv(tokenVariable, secret("unknown"))
	ask("predict", good...).want(t, statusGood) // the file wins
	for _, text := range []string{secret("notebook"), secret("unknown"), secret("old"), secret("lister")} {
		if strings.Contains(s.log.String(), text) {
			t.Errorf("the log holds a token: %s", s.log)
		}
	}
	for what, c := range map[string]*tls.Config{"with TLS": {RootCAs: ca.Pool()}, "as Kubernetes probes": {InsecureSkipVerify: true}} {
		transport := &http.Transport{TLSClientConfig: c}
		answer, err := (&http.Client{Transport: transport}).Get("https://" + s.http + "/readyz")
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		answer.Body.Close()
		transport.CloseIdleConnections()
		if answer.StatusCode != http.StatusOK || string(body) != "ok\n" {
			t.Errorf("%s: %d %q", what, answer.StatusCode, body)
		}
	}

	next := ca.Server("own") // renewed
	s.wait("certificate renewed")
	connection, err := tls.Dial("tcp", s.http, &tls.Config{RootCAs: ca.Pool()})
	must(t, err)
	defer connection.Close()
	if got := connection.ConnectionState().PeerCertificates[0]; got.SerialNumber.Cmp(next.TLS.Leaf.SerialNumber) != 0 {
		t.Errorf("the certificate on the HTTP port is still the old one")
	}
	ask("predict", good...).want(t, statusGood)
}

// A server on a socket in the file system.
func TestServeOnSocket(t *testing.T) {
	r := newRig(t, "colours")
	address := "unix:" + filepath.Join(t.TempDir(), "s")
	s := r.serve("--models", r.models, "--grpc", address, "--tokens", tokensFile(t))
	s.wait("msg=ready")
	t.Setenv(tokenVariable, secret("notebook"))
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	r.run("predict", picture, "--server", address, "--model", "colours").want(t, statusGood)
}

// Every method of the real server, with all that can be switched on, is in a group: a new one that is in none is denied to
// those who have all groups, and fails here.
func TestEveryServiceIsInAGroup(t *testing.T) {
	r := newRig(t, "colours")
	tokens := write(t, filepath.Join(t.TempDir(), "tokens.yaml"), "- {name: all, token: "+secret("all")+", groups: [predict, explain, models, admin, metrics]}")
	s := r.serve("--models", r.models, "--tokens", tokens, "--admin", "--channelz", "--orca")
	s.wait("msg=ready")
	conn, err := grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+secret("all")), time.Minute)
	defer cancel()
	reflection, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	must(t, err)
	must(t, reflection.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}))
	list, err := reflection.Recv()
	must(t, err)
	must(t, reflection.CloseSend())
	tried := 0
	for _, service := range list.GetListServicesResponse().GetService() {
		var methods []string
		if d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service.GetName())); err == nil {
			all := d.(protoreflect.ServiceDescriptor).Methods()
			for i := range all.Len() {
				methods = append(methods, string(all.Get(i).Name()))
			}
		}
		if len(methods) == 0 {
			t.Errorf("the methods of %s are not known", service.GetName())
		}
		for _, method := range methods {
			tried++
			if strings.HasPrefix(service.GetName(), "grpc.health.") {
				continue
			}
			path := "/" + service.GetName() + "/" + method
			if err := firstAnswer(ctx, conn, path); status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated {
				t.Errorf("%s: %v", path, err)
			}
			if err := firstAnswer(t.Context(), conn, path); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%s without a token: %v", path, err)
			}
		}
	}
	if tried < 22 {
		t.Errorf("only %d methods were tried", tried)
	}
}

// firstAnswer sends an empty message to a method of any kind and waits for an answer or the end.
func firstAnswer(ctx context.Context, conn *grpc.ClientConn, path string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, path)
	if err != nil {
		return err
	}
	_ = stream.SendMsg(&emptypb.Empty{}) // what became of it tells RecvMsg
	_ = stream.CloseSend()
	return stream.RecvMsg(&emptypb.Empty{})
}
