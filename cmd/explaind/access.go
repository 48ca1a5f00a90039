package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// tokenVariable is the environment variable that holds a token for a server.
const tokenVariable = "EXPLAIND_TOKEN"

// accessFlags say how a server is reached safely, and who asks. A token is never a flag: other users of the machine see
// command lines.
type accessFlags struct {
	tls                   bool
	ca, cert, key, server string
	tokenFile             string
	plainToken            bool
}

func (f *accessFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.tls, "tls", false, "reach the server by TLS, and trust the authorities of this machine")
	flags.StringVar(&f.ca, "tls-ca", "", "trust the authorities in this `FILE` instead, PEM")
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` of the certificate to show to the server, PEM")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` of its key, PEM")
	flags.StringVar(&f.server, "server-name", "", "`HOST` that the server's certificate is for, if not that of --server")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` of the token to show to the server; without it, the environment's "+tokenVariable)
	flags.BoolVar(&f.plainToken, "plain-token", false, "send the token to another machine without TLS")
}

// encrypted tells whether any flag asks for TLS.
func (f *accessFlags) encrypted() bool {
	return f.tls || f.ca != "" || f.cert != "" || f.key != "" || f.server != ""
}

// checkUnused refuses flags that have no effect without --server.
func (f *accessFlags) checkUnused() error {
	for _, of := range []struct {
		flag string
		set  bool
	}{
		{"--tls", f.tls}, {"--tls-ca", f.ca != ""}, {"--tls-cert", f.cert != ""}, {"--tls-key", f.key != ""},
		{"--server-name", f.server != ""}, {"--token-file", f.tokenFile != ""}, {"--plain-token", f.plainToken},
	} {
		if of.set {
			return fmt.Errorf("%s is about a server, and there is none; add --server HOST:PORT, or leave it out", of.flag)
		}
	}
	return nil
}

// options are those of a connection to the address.
func (f *accessFlags) options(address string) ([]grpc.DialOption, error) {
	transport := insecure.NewCredentials()
	if f.encrypted() {
		c, err := f.tlsConfig()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(c)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(transport)}
	token, err := f.token()
	if err != nil || token == "" {
		return options, err
	}
	if !f.encrypted() && !f.plainToken {
		// A host that cannot be found is none of this machine.
		if public, err := isPublic(address, net.DefaultResolver.LookupNetIP); err != nil || public {
			return nil, fmt.Errorf("the token would cross the network to %s unencrypted; add --tls or --tls-ca FILE, or, if something else encrypts, --plain-token", address)
		}
	}
	return append(options, grpc.WithPerRPCCredentials(bearerToken(token))), nil
}

func (f *accessFlags) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.server}
	if f.ca != "" {
		data, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM", f.ca)
		}
	}
	switch {
	case f.cert != "" && f.key == "":
		return nil, errors.New("--tls-key is missing; --tls-cert needs its key")
	case f.cert == "" && f.key != "":
		return nil, errors.New("--tls-cert is missing; --tls-key needs its certificate")
	case f.cert != "":
		own, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key do not give a certificate with its key: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// sendable is what a header can hold behind "Bearer" (RFC 6750).
var sendable = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// token is what the server shall see, "" for none.
func (f *accessFlags) token() (string, error) {
	from, token := tokenVariable, os.Getenv(tokenVariable)
	if f.tokenFile != "" {
		data, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		from, token = "--token-file "+f.tokenFile, string(data)
	}
	token = strings.TrimSpace(token)
	if token == "" && f.tokenFile == "" {
		return "", nil
	}
	if !sendable.MatchString(token) {
		return "", fmt.Errorf("%s does not hold one token and nothing else", from)
	}
	return token, nil
}

// bearerToken goes with each call. Whether it may go unencrypted was decided before.
type bearerToken string

func (t bearerToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(t)}, nil
}

func (bearerToken) RequireTransportSecurity() bool { return false }
