package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIsPublic(t *testing.T) {
	hosts := map[string][]string{
		"localhost": {"127.0.0.1", "::1"}, "gateway": {"192.0.2.1"}, "both": {"127.0.0.1", "2001:db8::1"}, "mapped": {"::ffff:127.0.0.1"},
	}
	resolve := func(_ context.Context, network, host string) (ips []netip.Addr, err error) {
		if hosts[host] == nil || network != "ip" {
			return nil, errors.New("no such host")
		}
		for _, s := range hosts[host] {
			ips = append(ips, netip.MustParseAddr(s))
		}
		return ips, nil
	}
	for address, want := range map[string]string{
		"127.0.0.1:8500":          "local",
		"127.0.0.2:8500":          "local",
		"[::1]:8500":              "local",
		"[::ffff:127.0.0.1]:8500": "local",
		"localhost:8500":          "local",
		"mapped:8500":             "local",
		"127.0.0.1:http":          "local",
		"unix:/run/explaind.sock": "local",
		"":                        "local",
		":8500":                   "public",
		"0.0.0.0:8500":            "public",
		"[::]:8500":               "public",
		"[::ffff:0.0.0.0]:8500":   "public",
		"[::ffff:192.0.2.1]:8500": "public",
		"192.168.1.10:8500":       "public",
		"10.0.0.1:8500":           "public",
		"169.254.1.1:8500":        "public",
		"[fe80::1%eth0]:8500":     "public",
		"[2001:db8::1]:8500":      "public",
		"gateway:8500":            "public",
		"both:8500":               "public",
		"nowhere:8500":            "no such host",
		"0:8500":                  "no such host",
		"127.1:8500":              "no such host",
		"127.0.0.1":               "missing port",
		"::1:8500":                "too many colons",
		"/run/explaind.sock":      "missing port",
	} {
		public, err := isPublic(address, resolve)
		got := map[bool]string{true: "public", false: "local"}[public]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q is %s, want %s", address, got, want)
		}
	}
}

// A socket in the file system: one server at a time; that of a server that was killed is replaced, other files are not.
func TestListenOnSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen("unix:"+path, "--grpc")
	must(t, err)
	if _, err := listen("unix:"+path, "--grpc"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a server that is killed leaves it
	must(t, l.Close())
	l, err = listen("unix:"+path, "--grpc")
	must(t, err)
	must(t, l.Close())
	write(t, path, "a letter")
	if _, err := listen("unix:"+path, "--grpc"); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in its place: %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "a letter" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}
