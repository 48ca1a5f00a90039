package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"github.com/explaind/explaind/service/auth"
	"github.com/explaind/explaind/service/grpcserver"
)

// securityFlags say who may call.
type securityFlags struct {
	cert, key, clientCA string
	tokens              string
	insecure            bool
}

func (f *securityFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` of the certificate that both ports show, PEM; renewed when it changes")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` of its key, PEM")
	flags.StringVar(&f.clientCA, "tls-client-ca", "", "`FILE` of those who sign clients' certificates, PEM; clients of gRPC must have one then")
	flags.StringVar(&f.tokens, "tokens", "", "`FILE` of bearer tokens and what each opens, YAML; renewed when it changes")
	flags.BoolVar(&f.insecure, "insecure", false, "allow ports that other machines reach without TLS, or without tokens and client certificates")
}

// apply opens the files, and refuses addresses that strangers reach. The log must be there.
func (f *securityFlags) apply(c *config, rpc, web string, admin bool) (err error) {
	switch {
	case f.cert != "" && f.key == "":
		return errors.New("--tls-key is missing; --tls-cert needs its key")
	case f.cert == "" && f.key != "":
		return errors.New("--tls-cert is missing; --tls-key needs its certificate")
	case f.cert == "" && f.clientCA != "":
		return errors.New("--tls-cert and --tls-key are missing; --tls-client-ca needs them, because certificates are shown over TLS only")
	}
	var bad problems
	if rpc == "" { // package net would listen everywhere
		bad.add(errors.New("--grpc is empty: gRPC has no address; give --grpc HOST:PORT"))
	} else {
		bad.add(f.checkBind(c, "--grpc", rpc, admin))
	}
	if web != "" {
		bad.add(f.checkBind(c, "--http", web, false))
	}
	if len(bad) > 0 {
		return bad
	}
	if f.cert != "" {
		c.certificates, err = auth.OpenCertificates(auth.TLSFiles{Cert: f.cert, Key: f.key, ClientCA: f.clientCA}, c.log)
		if err != nil {
			return f.inFlags(err)
		}
	}
	c.guard, err = auth.New(auth.Options{Tokens: f.tokens, Certificates: c.certificates, Log: c.log, Denied: c.telemetry.Denied})
	return f.inFlags(err)
}

// inFlags names the flag of the file that cannot be used.
func (f *securityFlags) inFlags(err error) error {
	bad, ok := errors.AsType[*auth.FileError](err)
	if !ok {
		return err
	}
	for _, of := range []struct{ path, flag string }{
		{f.tokens, "--tokens"}, {f.cert, "--tls-cert"}, {f.key, "--tls-key"}, {f.clientCA, "--tls-client-ca"},
	} {
		if of.path == bad.Path {
			return fmt.Errorf("%s %w", of.flag, err)
		}
	}
	return err
}

// checkBind refuses an address that other machines reach, unless what passes is encrypted and callers show who they are.
// Models are changed by callers with a token only, whatever guards the port.
func (f *securityFlags) checkBind(c *config, flag, address string, admin bool) error {
	_, _, err := endpoint(address)
	public := false
	if err == nil {
		public, err = isPublic(address, net.DefaultResolver.LookupNetIP)
	}
	if err != nil {
		return fmt.Errorf("%s %s is no address to listen on: %w", flag, address, err)
	}
	if public && admin && f.tokens == "" {
		return fmt.Errorf("--admin wants --tokens FILE, because %s %s can be reached from other machines; give it, or listen on 127.0.0.1, or leave out --admin", flag, address)
	}
	encrypted, known := f.cert != "", f.tokens != "" || f.clientCA != ""
	if !public || encrypted && known {
		return nil
	}
	lacks := "the callers show nothing (--tokens FILE, or --tls-client-ca FILE)"
	if !encrypted {
		lacks = "nothing is encrypted (--tls-cert FILE --tls-key FILE)"
		if !known {
			lacks += " and the callers show nothing (--tokens FILE, or --tls-client-ca FILE)"
		}
	}
	if f.insecure {
		c.log.Warn("other machines reach "+flag+", and "+lacks, "address", address)
		return nil
	}
	return fmt.Errorf("%s %s can be reached from other machines, and %s; give these flags, or listen on 127.0.0.1, "+
		"or add --insecure if something else guards the port, such as a proxy", flag, address, lacks)
}

// secure adds to the server's options who may call.
func (c *config) secure(o *grpcserver.Options) {
	if c.guard != nil {
		guards := c.guard.Interceptors()
		o.Guards.Unary = append(o.Guards.Unary, guards.Unary...)
		o.Guards.Stream = append(o.Guards.Stream, guards.Stream...)
		o.Extra = append(o.Extra, c.guard.Early())
	}
	if c.certificates != nil {
		o.Extra = append(o.Extra, grpc.Creds(c.certificates.GRPC()))
	}
}

// watches are what renews certificates and tokens. Each runs until its context ends.
func (c *config) watches() (all []func(context.Context)) {
	if c.guard != nil {
		all = append(all, c.guard.Watch)
	}
	if c.certificates != nil {
		all = append(all, c.certificates.Watch)
	}
	return all
}
