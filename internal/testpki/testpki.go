// Package testpki makes certificate authorities and certificates for tests.
package testpki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	File string // its certificate, PEM
}

// New makes an authority whose files lie in a folder of the test.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	a.key = key(t)
	a.cert = &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, SerialNumber: serial(t), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	must(t, err)
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	a.File = write(t, filepath.Join(a.dir, "ca.pem"), "CERTIFICATE", der)
	return a
}

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Leaf says what a certificate is for. The zero value is a client without a name, valid for a day.
type Leaf struct {
	Name       string
	Hosts      []string // names or IP addresses: a server's
	URI        string
	Server     bool // usable by servers, else by clients
	SelfSigned bool
	From, To   time.Duration // from now; 0 and 0 mean the hour before and the day after
}

// Pair is a certificate and its key.
type Pair struct {
	Cert, Key string // files, PEM
	TLS       tls.Certificate
}

// Issue makes a certificate. Its files are called by stem, and replaced if they are there already.
func (a *Authority) Issue(stem string, l Leaf) Pair {
	a.t.Helper()
	if l.From == 0 && l.To == 0 {
		l.From, l.To = -time.Hour, 24*time.Hour
	}
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: l.Name}, SerialNumber: serial(a.t), NotBefore: time.Now().Add(l.From), NotAfter: time.Now().Add(l.To),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if l.Server {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range l.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	if l.URI != "" {
		u, err := url.Parse(l.URI)
		must(a.t, err)
		c.URIs = []*url.URL{u}
	}
	own := key(a.t)
	parent, signer := a.cert, a.key
	if l.SelfSigned {
		parent, signer = c, own
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, own.Public(), signer)
	must(a.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(own)
	must(a.t, err)
	p := Pair{
		Cert: write(a.t, filepath.Join(a.dir, stem+".pem"), "CERTIFICATE", der),
		Key:  write(a.t, filepath.Join(a.dir, stem+"-key.pem"), "PRIVATE KEY", secret),
	}
	p.TLS, err = tls.LoadX509KeyPair(p.Cert, p.Key)
	must(a.t, err)
	return p
}

// Server makes a certificate for this machine's loopback addresses.
func (a *Authority) Server(stem string) Pair {
	return a.Issue(stem, Leaf{Name: "server", Hosts: []string{"127.0.0.1", "::1", "localhost"}, Server: true})
}

func key(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

func serial(t testing.TB) *big.Int {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	return n
}

func write(t testing.TB, path, kind string, der []byte) string {
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
