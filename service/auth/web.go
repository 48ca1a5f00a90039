package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/explaind/explaind"
)

// Protect lets HTTP requests through to next as the group's methods of gRPC are let through. Probes are left unprotected
// by not being wrapped. What is denied is answered by 401 or 403 and one line of text.
func (g *Guard) Protect(next http.Handler, group Group) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := presented{authorization: r.Header.Values("Authorization"), address: remote(r)}
		if r.TLS != nil {
			p.certificate = verified(*r.TLS)
		}
		caller, err := g.admit(p, r.URL.Path, group)
		if err == nil {
			next.ServeHTTP(w, r.WithContext(explaind.WithCaller(r.Context(), explaind.Caller{Client: caller})))
			return
		}
		e := explaind.AsError(err)
		g.log.InfoContext(r.Context(), "denied", "path", clip(r.URL.Path), "peer", hostOf(p.address), "reason", e.Reason)
		w.Header().Set("Cache-Control", "no-store")
		code := http.StatusForbidden
		if e.Code == explaind.Unauthenticated {
			code = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Bearer realm="explaind"`)
		}
		http.Error(w, fmt.Sprintf("%s (%s)", e, e.Reason), code)
	})
}

// remote is nil where the request did not come by TCP.
func remote(r *http.Request) net.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	return net.TCPAddrFromAddrPort(a)
}
