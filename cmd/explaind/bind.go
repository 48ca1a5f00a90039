package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// resolver finds the addresses of a host.
type resolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

// isPublic tells whether other machines can reach what listens on an address, "" for none.
func isPublic(address string, resolve resolver) (bool, error) {
	if address == "" || strings.HasPrefix(address, unixPrefix) {
		return false, nil
	}
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return false, err
	case host == "":
		return true, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.Unmap().IsLoopback(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ips, err := resolve(ctx, "ip", host)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(ips, func(ip netip.Addr) bool { return !ip.Unmap().IsLoopback() }), nil
}

// listen listens on HOST:PORT or unix:PATH. The socket of a server that was killed is replaced.
func listen(address, flag string) (net.Listener, error) {
	network, where, err := endpoint(address)
	if err != nil {
		return nil, fmt.Errorf("%s %s is no address to listen on: %w", flag, address, err)
	}
	l, err := net.Listen(network, where)
	if network == "unix" && errors.Is(err, syscall.EADDRINUSE) && isAbandoned(where) {
		if err = syscall.Unlink(where); err == nil {
			l, err = net.Listen(network, where)
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s is in use, perhaps by another server; stop that one or choose another address", flag, address)
	case err != nil:
		return nil, fmt.Errorf("%s %s cannot be listened on: %w", flag, address, err)
	}
	return l, nil
}

// isAbandoned tells whether path is a socket on which nobody answers any more. A plain file refuses connections as well,
// and is left alone.
func isAbandoned(path string) bool {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	connection, err := net.Dial("unix", path)
	if err == nil {
		connection.Close()
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
