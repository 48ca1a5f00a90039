package main

import (
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind/internal/testpki"
)

// What a client cannot use, or should not do, is refused before anything is sent.
func TestAccessRefuses(t *testing.T) {
	t.Setenv(tokenVariable, "")
	ca := testpki.New(t, "ours")
	own, twin := ca.Issue("own", testpki.Leaf{}), ca.Issue("twin", testpki.Leaf{})
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent")
	token := write(t, filepath.Join(dir, "token"), secret("mine")+"\n")
	const far, near = "192.0.2.1:8500", "127.0.0.1:1"
	for what, c := range map[string]struct {
		flags   accessFlags
		address string
		want    string // "" if it is accepted
	}{
		"plain":                            {accessFlags{}, far, ""},
		"token, this machine":              {accessFlags{tokenFile: token}, near, ""},
		"token, this machine, IPv6":        {accessFlags{tokenFile: token}, "[::1]:1", ""},
		"token, this machine, socket":      {accessFlags{tokenFile: token}, "unix:/run/x", ""},
		"token, this machine, by name":     {accessFlags{tokenFile: token}, "localhost:1", ""},
		"token, far":                       {accessFlags{tokenFile: token}, far, "unencrypted; add --tls"},
		"token, unknown host":              {accessFlags{tokenFile: token}, "host.invalid:1", "unencrypted; add --tls"},
		"token, every address":             {accessFlags{tokenFile: token}, "0.0.0.0:1", "unencrypted"},
		"token, far, TLS":                  {accessFlags{tokenFile: token, tls: true}, far, ""},
		"token, far, own authority":        {accessFlags{tokenFile: token, ca: ca.File}, far, ""},
		"token, far, server's name":        {accessFlags{tokenFile: token, server: "x"}, far, ""},
		"token, far, something else":       {accessFlags{tokenFile: token, plainToken: true}, far, ""},
		"no token file":                    {accessFlags{tokenFile: absent}, near, "--token-file"},
		"empty token file":                 {accessFlags{tokenFile: write(t, filepath.Join(dir, "empty"), "\n")}, near, "does not hold one token"},
		"two tokens":                       {accessFlags{tokenFile: write(t, filepath.Join(dir, "two"), secret("mine")+"\n"+secret("b"))}, near, "does not hold one token"},
		"no authority":                     {accessFlags{ca: absent}, near, "--tls-ca"},
		"an authority that is none":        {accessFlags{ca: token}, near, "holds no certificate"},
		"certificate":                      {accessFlags{cert: own.Cert, key: own.Key}, near, ""},
		"certificate without key":          {accessFlags{cert: own.Cert}, near, "--tls-key is missing"},
		"key without certificate":          {accessFlags{key: own.Key}, near, "--tls-cert is missing"},
		"another's key":                    {accessFlags{cert: own.Cert, key: twin.Key}, near, "--tls-cert and --tls-key"},
		"certificate that is not there":    {accessFlags{cert: absent, key: own.Key}, near, "--tls-cert and --tls-key"},
		"certificate that is only a token": {accessFlags{cert: token, key: own.Key}, near, "--tls-cert and --tls-key"},
	} {
		_, err := c.flags.options(c.address)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret("mine")) {
			t.Errorf("%s: the error holds the token: %v", what, err)
		}
	}
	t.Setenv(tokenVariable, secret("mine"))
	if _, err := (&accessFlags{}).options(far); err == nil || !strings.Contains(err.Error(), "unencrypted") {
		t.Errorf("a token of the environment: %v", err)
	}
	t.Setenv(tokenVariable, "two words")
	if _, err := (&accessFlags{}).options(near); err == nil || strings.Contains(err.Error(), "words") {
		t.Errorf("a token of the environment that is none: %v", err)
	}
}

// Flags about a server have no effect without one.
func TestAccessNeedsServer(t *testing.T) {
	r := newRig(t, "colours")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	for _, args := range [][]string{{"--tls"}, {"--tls-ca", "x"}, {"--tls-cert", "x"}, {"--tls-key", "x"}, {"--server-name", "x"}, {"--token-file", "x"}, {"--plain-token"}} {
		r.run(append([]string{"predict", picture, "--model", r.model("colours")}, args...)...).want(t, statusNotStarted, args[0]+" is about a server", "--server")
	}
	t.Setenv(tokenVariable, secret("mine")) // may be there for other commands
	r.run("predict", picture, "--model", r.model("colours")).want(t, statusGood)
}

// A server without TLS, and one with it, tell clients of the other kind what to do.
func TestTLSMismatch(t *testing.T) {
	r := newRig(t, "colours")
	s := r.serve("--models", r.models)
	s.wait("msg=ready")
	r.run("models", "--server", s.grpc, "--tls").want(t, statusNotStarted, "does not speak TLS; leave out --tls")
}

// What gRPC says of a TLS connection that failed, in the words of this version, leads to the flag that helps.
func TestHandshake(t *testing.T) {
	for message, want := range map[string]string{
		`connection error: desc = "transport: authentication handshake failed: tls: first record does not look like a TLS handshake"`:                                                                      "leave out --tls",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"`:                                          "--tls-ca FILE",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: x"`:                                   "has to renew it",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate is valid for a, not b"`:                                                "--server-name HOST",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: cannot validate certificate for 192.0.2.1 because it doesn't contain any IP SANs"`: "--server-name HOST",
		`connection error: desc = "error reading server preface: remote error: tls: certificate required"`:                                                                                                 "show one by --tls-cert",
		`connection error: desc = "error reading server preface: remote error: tls: expired certificate"`:                                                                                                  "has expired; show a new one",
		`connection error: desc = "error reading server preface: remote error: tls: unknown certificate authority"`:                                                                                        "does not trust the certificate of --tls-cert",
		`connection error: desc = "error reading server preface: EOF"`:                                                                                                                                     "--tls or --tls-ca FILE",
		`write tcp 127.0.0.1:57048->127.0.0.1:44767: write: broken pipe`:                                                                                                                                   "--tls-cert FILE --tls-key FILE",
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`:                                                                                     "the server cannot be reached",
	} {
		if got := describe(status.Error(codes.Unavailable, message)); !strings.Contains(got, want) {
			t.Errorf("%s becomes %q, want %q", message, got, want)
		}
	}
}
