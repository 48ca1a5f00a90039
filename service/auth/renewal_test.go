package auth

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/lockedbuffer"
	"github.com/explaind/explaind/internal/testpki"
)

// renewals is how often files are replaced under load.
const renewals = 25

// load calls on standing connections and on new ones until stop, and returns how many calls there were and those that failed.
func (r *rig) load(c *tls.Config, token string) (stop func() (calls int64, failures []string)) {
	var calls atomic.Int64
	var mu sync.Mutex
	var failures []string
	var wait sync.WaitGroup
	end := make(chan struct{})
	call := func(conn *grpc.ClientConn) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		calls.Add(1)
		if _, err := pb.NewExplainServiceClient(conn).Predict(ctx, &pb.PredictRequest{}); err != nil {
			mu.Lock()
			failures = append(failures, err.Error())
			mu.Unlock()
		}
	}
	for i := range 4 {
		wait.Go(func() {
			standing := r.dial(c)
			for {
				select {
				case <-end:
					return
				default:
				}
				if i%2 == 0 {
					call(standing)
					continue
				}
				fresh, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(credentials.NewTLS(c.Clone())))
				if err != nil {
					panic(err)
				}
				call(fresh)
				fresh.Close()
			}
		})
	}
	return func() (int64, []string) {
		close(end)
		wait.Wait()
		return calls.Load(), failures
	}
}

// presentedBy is the serial number of the certificate that the server shows to a new connection.
func (r *rig) presentedBy(c *tls.Config) string {
	conn, err := tls.Dial("tcp", r.address, c)
	must(r.t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func serialOf(p testpki.Pair) string { return p.TLS.Leaf.SerialNumber.String() }

// Certificates are renewed under load without a failed call; a new one that cannot be used leaves the old one in use.
func TestCertificatesAreRenewed(t *testing.T) {
	ca := testpki.New(t, "ours")
	own, good := ca.Server("server"), ca.Issue("good", testpki.Leaf{Name: "notebook"})
	var log lockedbuffer.Buffer
	certificates, err := OpenCertificates(TLSFiles{Cert: own.Cert, Key: own.Key, ClientCA: ca.File}, slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	follows(t, certificates.files)
	r := newRig(t, setup{certificates: certificates, log: &log})
	me := client(ca, good)
	h2 := me.Clone()
	h2.NextProtos = []string{"h2"}
	if got := r.presentedBy(h2); got != serialOf(own) {
		t.Fatalf("the server shows %s", got)
	}
	stop := r.load(me, "")
	for i := range renewals {
		next := ca.Server("server") // writes both files in place, one after the other
		eventually(t, fmt.Sprintf("renewal %d", i), func() bool { return r.presentedBy(h2) == serialOf(next) })
		own = next
	}
	calls, failures := stop()
	if len(failures) > 0 || calls < renewals {
		t.Errorf("%d of %d calls failed: %.300q", len(failures), calls, failures)
	}
	t.Logf("%d calls during %d renewals", calls, renewals)

	key, err := os.ReadFile(own.Key)
	must(t, err)
	cert, err := os.ReadFile(own.Cert)
	must(t, err)
	twin := ca.Server("twin")
	twinKey, err := os.ReadFile(twin.Key)
	must(t, err)
	for what, broken := range map[string]struct {
		path string
		data []byte
	}{
		"nonsense": {own.Cert, []byte("nonsense")}, "empty": {own.Cert, nil}, "cut": {own.Cert, cert[:len(cert)/2]},
		"cut key": {own.Key, key[:len(key)/2]}, "another's key": {own.Key, twinKey},
	} {
		before := strings.Count(log.String(), "cannot be renewed")
		replace(t, broken.path, broken.data)
		eventually(t, what, func() bool { return strings.Count(log.String(), "cannot be renewed") > before })
		if got := r.presentedBy(h2); got != serialOf(own) {
			t.Errorf("%s: the server shows %s", what, got)
		}
		if err := call(t, r.dial(me), predictMethod); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		replace(t, own.Cert, cert)
		replace(t, own.Key, key)
		eventually(t, what+" mended", func() bool {
			return strings.LastIndex(log.String(), "certificate renewed") > strings.LastIndex(log.String(), "cannot be renewed")
		})
	}
	must(t, os.Remove(own.Cert))
	eventually(t, "removed", func() bool { return strings.Contains(log.String(), "no such file") })
	if err := call(t, r.dial(me), predictMethod); err != nil {
		t.Errorf("removed: %v", err)
	}
	lacks(t, "the log", log.String(), string(key[40:80]))
}

// Clients of an authority that was replaced cannot connect any more, not even by resuming a session.
func TestClientAuthorityIsRenewed(t *testing.T) {
	ca, old, next := testpki.New(t, "server's"), testpki.New(t, "old"), testpki.New(t, "new")
	authority := filepath.Join(t.TempDir(), "clients.pem")
	data, err := os.ReadFile(old.File)
	must(t, err)
	replace(t, authority, data)
	certificates := openCertificates(t, ca.Server("server"), authority)
	follows(t, certificates.files)
	r := newRig(t, setup{certificates: certificates})
	before, after := client(ca, old.Issue("a", testpki.Leaf{})), client(ca, next.Issue("b", testpki.Leaf{}))
	before.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	standing := r.dial(before)
	must(t, call(t, standing, predictMethod))
	if err := call(t, r.dial(after), predictMethod); status.Code(err) != codes.Unavailable {
		t.Errorf("too early: %v", err)
	}
	data, err = os.ReadFile(next.File)
	must(t, err)
	replace(t, authority, data)
	eventually(t, "the new authority", func() bool { return call(t, r.dial(after), predictMethod) == nil })
	for range 3 {
		if err := call(t, r.dial(before), predictMethod); status.Code(err) != codes.Unavailable {
			t.Errorf("the old authority still lets in: %v", err)
		}
	}
	if err := call(t, standing, predictMethod); err != nil {
		t.Errorf("a standing connection was cut: %v", err)
	}
}

// Tokens are renewed under load without a failed call: new ones open, removed ones do not any more. A file that cannot be
// used leaves the old tokens in use. A stream that has begun goes on without its token.
func TestTokensAreRenewed(t *testing.T) {
	ca := testpki.New(t, "ours")
	certificates := openCertificates(t, ca.Server("server"), "")
	gone := fmt.Sprintf("- {name: gone, token: %s, groups: [predict]}\n", tokenOf("gone"))
	goon := make(chan struct{})
	r := newRig(t, setup{certificates: certificates, tokens: tokensOf() + gone, stream: func(s pb.ExplainService_PredictStreamServer) error {
		<-goon
		return s.Send(&pb.PredictStreamResponse{})
	}})
	file := r.guard.tokens.paths[0]
	follows(t, r.guard.tokens)
	me := client(ca)
	conn := r.dial(me)
	stream, err := pb.NewExplainServiceClient(conn).PredictStream(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+tokenOf("gone")))
	must(t, err)
	must(t, stream.Send(&pb.PredictStreamRequest{}))
	eventually(t, "the stream", func() bool { return r.reached.Load() == 1 })

	stop := r.load(me, tokenOf("all"))
	for i := range renewals {
		name := fmt.Sprintf("new%d", i)
		must(t, os.WriteFile(file, fmt.Appendf(nil, "%s- {name: %s, token: %s, groups: [predict]}\n", tokensOf(), name, tokenOf(name)), 0o600))
		eventually(t, name, func() bool { return call(t, conn, predictMethod, "Bearer "+tokenOf(name)) == nil })
		if i > 0 {
			if err := call(t, conn, predictMethod, "Bearer "+tokenOf(fmt.Sprintf("new%d", i-1))); reasonOf(err) != "TOKEN_UNKNOWN" {
				t.Errorf("a removed token: %v", err)
			}
		}
	}
	calls, failures := stop()
	if len(failures) > 0 || calls < renewals {
		t.Errorf("%d of %d calls failed: %.300q", len(failures), calls, failures)
	}
	t.Logf("%d calls during %d renewals", calls, renewals)

	for what, text := range map[string]string{"empty": "", "nonsense": "{", "unknown group": "- {name: a, token: " + tokenOf("a") + ", groups: [root]}"} {
		before := strings.Count(r.log.String(), "cannot be renewed")
		replace(t, file, []byte(text))
		eventually(t, what, func() bool { return strings.Count(r.log.String(), "cannot be renewed") > before })
		if err := call(t, conn, predictMethod, "Bearer "+tokenOf("all")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		lacks(t, "the log", r.log.String(), tokenOf("a"))
	}
	if err := call(t, conn, predictMethod, "Bearer "+tokenOf("gone")); reasonOf(err) != "TOKEN_UNKNOWN" {
		t.Errorf("the removed token: %v", err)
	}
	close(goon)
	if _, err := stream.Recv(); err != nil {
		t.Errorf("the stream that had begun with it: %v", err)
	}
}

// A token expires while the server runs, without any file being touched.
func TestTokenExpires(t *testing.T) {
	soon := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	r := newRig(t, setup{tokens: fmt.Sprintf("- {name: short, token: %s, groups: [predict], expires: %q}\n", tokenOf("short"), soon)})
	conn := r.dial(nil)
	must(t, call(t, conn, predictMethod, "Bearer "+tokenOf("short")))
	eventually(t, "the end", func() bool {
		return reasonOf(call(t, conn, predictMethod, "Bearer "+tokenOf("short"))) == "TOKEN_EXPIRED"
	})
}

// As Kubernetes mounts a Secret: the file is a link to a link to a folder that is replaced.
func TestRenewalThroughLinks(t *testing.T) {
	dir := t.TempDir()
	put := func(version, name string) {
		must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, version, "tokens.yaml"), fmt.Appendf(nil, "- {name: x, token: %s, groups: [predict]}", tokenOf(name)), 0o600))
		must(t, os.Symlink(version, filepath.Join(dir, "..data.new")))
		must(t, os.Rename(filepath.Join(dir, "..data.new"), filepath.Join(dir, "..data")))
	}
	put("v1", "first")
	must(t, os.Symlink(filepath.Join("..data", "tokens.yaml"), filepath.Join(dir, "tokens.yaml")))
	g, err := New(Options{Tokens: filepath.Join(dir, "tokens.yaml")})
	must(t, err)
	follows(t, g.tokens)
	put("v2", "second")
	eventually(t, "the second", func() bool { return g.tokens.get().find(tokenOf("second")) != nil })
}

// A pipe can be read once: it is not followed, and reading it again would wait for ever.
func TestPipesAreNotFollowed(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	go func() {
		_ = os.WriteFile(pipe, fmt.Appendf(nil, "- {name: x, token: %s, groups: [predict]}", tokenOf("x")), 0o600)
	}()
	var log lockedbuffer.Buffer
	g, err := New(Options{Tokens: pipe, Log: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	g.Watch(t.Context()) // returns
	if !strings.Contains(log.String(), "not followed") || g.tokens.get().find(tokenOf("x")) == nil {
		t.Errorf("the log is %s", log.String())
	}
}
