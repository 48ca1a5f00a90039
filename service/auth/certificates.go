package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
)

// TLSFiles are the files of a server's TLS, in PEM.
type TLSFiles struct {
	Cert     string // the server's certificate, then the intermediate ones
	Key      string // its key
	ClientCA string // those who sign clients' certificates; "" asks clients for none
}

// Certificates are a server's certificate and those who sign its clients'. They are renewed when the files change:
// connections that stand are left alone, new ones see the new certificate. Safe for concurrent use.
type Certificates struct {
	files *followed[certificates]
	mTLS  bool
}

// certificates are one state of the files.
type certificates struct{ grpc, http *tls.Config }

// cipherSuites are those of TLS 1.2 that HTTP/2 allows; TLS 1.3 has only good ones.
var cipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// OpenCertificates reads the files. The error is a *FileError: a file that cannot be read or holds no certificate, or a key
// that belongs to another one. An expired certificate is only warned of: its clients decide.
func OpenCertificates(paths TLSFiles, log *slog.Logger) (*Certificates, error) {
	names := []string{paths.Cert, paths.Key}
	if paths.ClientCA != "" {
		names = append(names, paths.ClientCA)
	}
	parse := func(contents [][]byte) (*certificates, error) {
		warnIfShared(paths.Key, "the key", log)
		return parseCertificates(paths, contents, log)
	}
	files, err := follow("the certificate", names, parse, log)
	if err != nil {
		return nil, err
	}
	return &Certificates{files: files, mTLS: paths.ClientCA != ""}, nil
}

// Watch follows the files until ctx ends.
func (c *Certificates) Watch(ctx context.Context) { c.files.watch(ctx) }

// GRPC are the credentials of the gRPC port. With a ClientCA, a client without a certificate of it cannot connect.
func (c *Certificates) GRPC() credentials.TransportCredentials {
	return credentials.NewTLS(c.config(func(now *certificates) *tls.Config { return now.grpc }))
}

// HTTP is the TLS of the HTTP port. With a ClientCA, a certificate is verified if there is one: probes have none.
func (c *Certificates) HTTP() *tls.Config {
	return c.config(func(now *certificates) *tls.Config { return now.http })
}

func (c *Certificates) config(of func(*certificates) *tls.Config) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return of(c.files.get()), nil },
	}
}

// parseCertificates reads the contents of certificate, key and, if there is one, client CA.
func parseCertificates(paths TLSFiles, contents [][]byte, log *slog.Logger) (*certificates, error) {
	own, err := parsePair(paths, contents[0], contents[1])
	if err != nil {
		return nil, err
	}
	warnOfDates(paths.Cert, own.Leaf, log)
	base := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: cipherSuites, Certificates: []tls.Certificate{own}}
	rpc, web := base.Clone(), base.Clone()
	rpc.NextProtos, web.NextProtos = []string{"h2"}, []string{"http/1.1"}
	if paths.ClientCA != "" {
		pool, err := parsePool(paths.ClientCA, contents[2], log)
		if err != nil {
			return nil, err
		}
		rpc.ClientCAs, rpc.ClientAuth = pool, tls.RequireAndVerifyClientCert
		web.ClientCAs, web.ClientAuth = pool, tls.VerifyClientCertIfGiven
		// A session that is resumed would not be verified against a CA that was replaced meanwhile.
		rpc.SessionTicketsDisabled, web.SessionTicketsDisabled = true, true
	}
	return &certificates{grpc: rpc, http: web}, nil
}

func parsePair(paths TLSFiles, cert, key []byte) (tls.Certificate, error) {
	if _, err := parseBlocks(paths.Cert, cert); err != nil {
		return tls.Certificate{}, err
	}
	block := firstKey(key)
	switch {
	case block == nil:
		return tls.Certificate{}, fileErrorf(paths.Key, "holds no private key in PEM")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return tls.Certificate{}, fileErrorf(paths.Key, "is encrypted, and nobody could type its password; write it without one, by openssl pkey -in KEY -out PLAIN")
	}
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		// Its text may tell of the key, and says no more than this.
		return tls.Certificate{}, fileErrorf(paths.Key, "is not the key of the first certificate in %s; give the two that were made together", paths.Cert)
	}
	return own, nil
}

func firstKey(data []byte) *pem.Block {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block
		}
	}
	return nil
}

func parsePool(path string, data []byte, log *slog.Logger) (*x509.CertPool, error) {
	all, err := parseBlocks(path, data)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		warnOfDates(path, c, log)
		pool.AddCert(c)
	}
	return pool, nil
}

// parseBlocks reads all certificates of a file, at least one.
func parseBlocks(path string, data []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fileErrorf(path, "holds a certificate that is damaged: %w", err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fileErrorf(path, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	return all, nil
}

// soon is how long before its end a certificate is warned of.
const soon = 7 * 24 * time.Hour

func warnOfDates(path string, c *x509.Certificate, log *slog.Logger) {
	now := time.Now()
	var what string
	switch {
	case now.After(c.NotAfter):
		what = "the certificate has expired; clients will refuse it"
	case now.Before(c.NotBefore):
		what = "the certificate is not valid yet; clients will refuse it"
	case now.Add(soon).After(c.NotAfter):
		what = "the certificate expires soon"
	default:
		return
	}
	log.Warn(what, "file", path, "subject", c.Subject.String(), "from", c.NotBefore, "until", c.NotAfter)
}

// warnIfShared warns of a secret that everybody on the machine can read.
func warnIfShared(path, what string, log *slog.Logger) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
		log.Warn(what+" can be read by every user of this machine; take that away by chmod o-r", "file", path)
	}
}

// verified is the certificate that a client has proved to own; nil if there is none.
func verified(state tls.ConnectionState) *x509.Certificate {
	if len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

// nameOf is how a certificate's owner is called: by the common name, else by the first alternative name.
func nameOf(c *x509.Certificate) string {
	names := []string{c.Subject.CommonName}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = slices.Concat(names, c.DNSNames, c.EmailAddresses)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if i := slices.IndexFunc(names, func(s string) bool { return s != "" }); i >= 0 {
		return names[i]
	}
	return "certificate " + c.SerialNumber.Text(16)
}
