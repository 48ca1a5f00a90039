package auth

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/internal/testpki"
)

const (
	predictMethod = "/explaind.v1.ExplainService/Predict"
	adminMethod   = "/explaind.v1.ModelAdminService/LoadModel"
	healthMethod  = "/grpc.health.v1.Health/Check"
)

func openCertificates(t *testing.T, own testpki.Pair, clientCA string) *Certificates {
	t.Helper()
	c, err := OpenCertificates(TLSFiles{Cert: own.Cert, Key: own.Key, ClientCA: clientCA}, slog.New(slog.DiscardHandler))
	must(t, err)
	return c
}

// client is a client's configuration that trusts an authority, and shows a certificate if there is one, even if the server
// does not ask for one of its authority.
func client(trusts *testpki.Authority, shows ...testpki.Pair) *tls.Config {
	c := &tls.Config{RootCAs: trusts.Pool(), MinVersion: tls.VersionTLS12}
	if len(shows) > 0 {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shows[0].TLS, nil }
	}
	return c
}

// A client reaches the server only if each trusts the other's certificate.
func TestCertificates(t *testing.T) {
	ca, other := testpki.New(t, "ours"), testpki.New(t, "theirs")
	day := 24 * time.Hour
	good := ca.Issue("good", testpki.Leaf{Name: "notebook"})
	r := newRig(t, setup{certificates: openCertificates(t, ca.Server("server"), ca.File)})
	for what, c := range map[string]struct {
		config *tls.Config
		name   string // of the caller that is let in; "" for none
	}{
		"good":                 {client(ca, good), "notebook"},
		"named by URI":         {client(ca, ca.Issue("uri", testpki.Leaf{URI: "spiffe://home/job"})), "spiffe://home/job"},
		"named by host":        {client(ca, ca.Issue("host", testpki.Leaf{Hosts: []string{"worker.local"}})), "worker.local"},
		"named by IP":          {client(ca, ca.Issue("ip", testpki.Leaf{Hosts: []string{"192.0.2.7"}})), "192.0.2.7"},
		"none":                 {client(ca), ""},
		"expired":              {client(ca, ca.Issue("expired", testpki.Leaf{From: -2 * day, To: -day})), ""},
		"not valid yet":        {client(ca, ca.Issue("early", testpki.Leaf{From: day, To: 2 * day})), ""},
		"of another authority": {client(ca, other.Issue("other", testpki.Leaf{Name: "notebook"})), ""},
		"self-signed":          {client(ca, ca.Issue("self", testpki.Leaf{Name: "notebook", SelfSigned: true})), ""},
		"a server's":           {client(ca, ca.Server("reused")), ""},
		"server not trusted":   {client(other, good), ""},
		"plain text":           {nil, ""},
		"wrong host":           {func() *tls.Config { c := client(ca, good); c.ServerName = "elsewhere"; return c }(), ""},
		"TLS 1.1": {func() *tls.Config {
			c := client(ca, good)
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return c
		}(), ""},
		"TLS 1.2": {func() *tls.Config { c := client(ca, good); c.MaxVersion = tls.VersionTLS12; return c }(), "notebook"},
	} {
		before := r.reached.Load()
		err := call(t, r.dial(c.config), predictMethod)
		if c.name == "" {
			if status.Code(err) != codes.Unavailable || r.reached.Load() != before {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if err != nil || r.reached.Load() != before+1 || r.caller.Load().Client != c.name {
			t.Errorf("%s: %v, caller %+v, want %s", what, err, r.caller.Load(), c.name)
		}
	}
	for what, own := range map[string]testpki.Pair{
		"expired":     ca.Issue("server-expired", testpki.Leaf{Hosts: []string{"127.0.0.1"}, Server: true, From: -2 * day, To: -day}),
		"wrong host":  ca.Issue("server-elsewhere", testpki.Leaf{Hosts: []string{"elsewhere"}, Server: true}),
		"self-signed": ca.Issue("server-self", testpki.Leaf{Hosts: []string{"127.0.0.1"}, Server: true, SelfSigned: true}),
		"a client's":  ca.Issue("server-client", testpki.Leaf{Hosts: []string{"127.0.0.1"}}),
	} {
		r := newRig(t, setup{certificates: openCertificates(t, own, "")})
		if err := call(t, r.dial(client(ca)), predictMethod); status.Code(err) != codes.Unavailable || r.reached.Load() != 0 {
			t.Errorf("a server whose certificate is %s: %v", what, err)
		}
	}
}

// Without a tokens file, certificates open all but admin; with one, both are wanted.
func TestCertificatesAndTokens(t *testing.T) {
	ca := testpki.New(t, "ours")
	own, good := ca.Server("server"), ca.Issue("good", testpki.Leaf{Name: "notebook"})
	certificates := openCertificates(t, own, ca.File)

	r := newRig(t, setup{certificates: certificates})
	conn := r.dial(client(ca, good))
	for _, method := range reflected(t, conn, "") {
		if strings.HasSuffix(method, "/Watch") {
			continue
		}
		group, _ := groupOf(method)
		before := r.reached.Load()
		err := call(t, conn, method)
		if want := group != Admin; (r.reached.Load() == before+1) != want {
			t.Errorf("%s: %v", method, err)
		}
		if group == Admin && (status.Code(err) != codes.PermissionDenied || reasonOf(err) != "GROUP_NOT_ALLOWED" || !strings.Contains(err.Error(), "token")) {
			t.Errorf("%s: %v", method, err)
		}
	}

	r = newRig(t, setup{certificates: certificates, tokens: tokensOf()})
	conn = r.dial(client(ca, good))
	if err := call(t, conn, predictMethod); reasonOf(err) != "TOKEN_MISSING" {
		t.Errorf("a certificate without a token: %v", err)
	}
	if err := call(t, conn, adminMethod, "Bearer "+tokenOf("only-admin")); status.Code(err) != codes.Unimplemented || r.caller.Load().Client != "only-admin" {
		t.Errorf("a certificate and a token: %v, caller %+v", err, r.caller.Load())
	}
	if err := call(t, r.dial(client(ca)), predictMethod, "Bearer "+tokenOf("all")); status.Code(err) != codes.Unavailable {
		t.Errorf("a token without a certificate: %v", err)
	}
}

// Without tokens and certificates everything is open to this machine, and callers are named by their address.
func TestOpenServer(t *testing.T) {
	r := newRig(t, setup{})
	conn := r.dial(nil)
	for _, method := range []string{predictMethod, adminMethod, healthMethod} {
		if err := call(t, conn, method); status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := call(t, conn, predictMethod, "Bearer of good news"); err != nil {
		t.Errorf("a header that nobody asked for: %v", err)
	}
	if r.caller.Load().Client != "" {
		t.Errorf("the guard named the caller %+v; the server does", r.caller.Load())
	}
	far := presented{address: &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 1}}
	if _, err := r.guard.admit(far, "x", Admin); reasonOfError(err) != "GROUP_NOT_ALLOWED" {
		t.Errorf("admin from another machine: %v", err)
	}
	if _, err := r.guard.admit(far, "x", Predict); err != nil {
		t.Errorf("predict from another machine: %v", err)
	}
	if _, err := r.guard.admit(far, "x", ""); reasonOfError(err) != "METHOD_IN_NO_GROUP" {
		t.Errorf("a method in no group: %v", err)
	}
}

// Files that cannot be used are refused with the reason, which holds nothing of the key.
func TestOpenCertificatesRefuses(t *testing.T) {
	ca := testpki.New(t, "ours")
	own, twin := ca.Server("own"), ca.Server("twin")
	dir := t.TempDir()
	file := func(name, data string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(data), 0o600))
		return path
	}
	absent, empty := filepath.Join(dir, "absent"), file("empty", "")
	damaged := file("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	for what, c := range map[string]struct {
		files TLSFiles
		path  string
		want  string
	}{
		"no certificate":      {TLSFiles{absent, own.Key, ""}, absent, "no such file"},
		"no key":              {TLSFiles{own.Cert, absent, ""}, absent, "no such file"},
		"no authority":        {TLSFiles{own.Cert, own.Key, absent}, absent, "no such file"},
		"a folder":            {TLSFiles{dir, own.Key, ""}, dir, "is a directory"},
		"empty certificate":   {TLSFiles{empty, own.Key, ""}, empty, "holds no certificate"},
		"empty key":           {TLSFiles{own.Cert, empty, ""}, empty, "holds no private key"},
		"empty authority":     {TLSFiles{own.Cert, own.Key, empty}, empty, "holds no certificate"},
		"damaged certificate": {TLSFiles{damaged, own.Key, ""}, damaged, "damaged"},
		"damaged authority":   {TLSFiles{own.Cert, own.Key, damaged}, damaged, "damaged"},
		"another's key":       {TLSFiles{own.Cert, twin.Key, ""}, twin.Key, "is not the key of"},
		"swapped":             {TLSFiles{own.Key, own.Cert, ""}, own.Key, "holds no certificate"},
		"encrypted key":       {TLSFiles{own.Cert, file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), ""}, filepath.Join(dir, "locked"), "openssl pkey"},
		"huge":                {TLSFiles{file("huge", strings.Repeat("x", 2<<20)), own.Key, ""}, filepath.Join(dir, "huge"), "larger than 1 MiB"},
	} {
		_, err := OpenCertificates(c.files, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// What works, but not for long or not safely, is warned of.
func TestWarnings(t *testing.T) {
	ca := testpki.New(t, "ours")
	day := 24 * time.Hour
	for want, l := range map[string]testpki.Leaf{
		"has expired":      {Server: true, From: -2 * day, To: -day},
		"is not valid yet": {Server: true, From: day, To: 20 * day},
		"expires soon":     {Server: true, From: -day, To: 5 * day},
		"":                 {Server: true, From: -day, To: 20 * day},
	} {
		var log lockedbuffer.Buffer
		own := ca.Issue("own", l)
		_, err := OpenCertificates(TLSFiles{Cert: own.Cert, Key: own.Key}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || !strings.Contains(log.String(), want) || (want == "") != (log.String() == "") {
			t.Errorf("%q: %v, %s", want, err, log.String())
		}
	}
	var log lockedbuffer.Buffer
	own := ca.Issue("own", testpki.Leaf{Server: true, From: -day, To: 20 * day})
	must(t, os.Chmod(own.Key, 0o644))
	_, err := OpenCertificates(TLSFiles{Cert: own.Cert, Key: own.Key}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || !strings.Contains(log.String(), "chmod o-r") {
		t.Errorf("a key for everybody: %v, %s", err, log.String())
	}
}

// web is a server of HTTP with probes, and metrics behind the guard.
func web(t *testing.T, g *Guard, certificates *Certificates) (address string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.Handle("/metrics", g.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") }), Metrics))
	mux.Handle("/admin", g.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "admin") }), Admin))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address = "http://" + listener.Addr().String()
	if certificates != nil {
		listener, address = tls.NewListener(listener, certificates.HTTP()), "https://"+listener.Addr().String()
	}
	server := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return address
}

func get(t *testing.T, c *tls.Config, url string, headers ...string) (code int, body string, header http.Header) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	request.Header["Authorization"] = headers
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(text), answer.Header
}

// The HTTP port: probes for everybody, metrics for those who may.
func TestHTTP(t *testing.T) {
	ca, other := testpki.New(t, "ours"), testpki.New(t, "theirs")
	own, good := ca.Server("server"), ca.Issue("good", testpki.Leaf{Name: "prometheus"})
	mTLS, plain := openCertificates(t, own, ca.File), openCertificates(t, own, "")
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	must(t, os.WriteFile(file, []byte(tokensOf()), 0o600))
	var log lockedbuffer.Buffer
	guard := func(tokens string, c *Certificates) *Guard {
		g, err := New(Options{Tokens: tokens, Certificates: c, Log: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		return g
	}
	type row struct {
		what    string
		client  *tls.Config
		path    string
		headers []string
		code    int // 0 for no connection
		body    string
	}
	check := func(name, address string, rows []row) {
		for _, c := range rows {
			code, body, header := get(t, c.client, address+c.path, c.headers...)
			if code != c.code || c.code != 0 && !strings.Contains(body, c.body) {
				t.Errorf("%s, %s: %d %q, want %d %q", name, c.what, code, body, c.code, c.body)
			}
			if (code == 401) != (header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s, %s: %v", name, c.what, header)
			}
			lacks(t, "the body", body, tokenOf("all"))
		}
	}
	check("open", web(t, guard("", nil), nil), []row{
		{"probe", nil, "/livez", nil, 200, "ok"},
		{"metrics", nil, "/metrics", nil, 200, "metrics"},
		{"admin", nil, "/admin", nil, 200, "admin"},
	})
	tokens := []row{
		{"probe", client(ca), "/livez", nil, 200, "ok"},
		{"probe with a bad token", client(ca), "/livez", []string{"Bearer x"}, 200, "ok"},
		{"right", client(ca), "/metrics", []string{"Bearer " + tokenOf("only-metrics")}, 200, "metrics"},
	}
	for _, d := range denialsOf(Metrics) {
		code := http.StatusUnauthorized
		if d.code == codes.PermissionDenied {
			code = http.StatusForbidden
		}
		tokens = append(tokens, row{d.what, client(ca), "/metrics", d.headers, code, d.reason})
	}
	check("tokens", web(t, guard(file, nil), nil), tokens)
	check("tokens over TLS", web(t, guard(file, plain), plain), tokens)
	check("certificates", web(t, guard("", mTLS), mTLS), []row{
		{"probe without a certificate", client(ca), "/livez", nil, 200, "ok"},
		{"metrics without a certificate", client(ca), "/metrics", nil, 401, "CERTIFICATE_MISSING"},
		{"metrics with one", client(ca, good), "/metrics", nil, 200, "metrics"},
		{"admin with one", client(ca, good), "/admin", nil, 403, "GROUP_NOT_ALLOWED"},
		{"another authority's", client(ca, other.Issue("other", testpki.Leaf{})), "/livez", nil, 0, ""},
		{"server not trusted", client(other), "/livez", nil, 0, ""},
	})
	lacks(t, "the log", log.String(), tokenOf("all"), tokenOf("expired"))
}
