package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// unixPrefix begins an address that is a socket in the file system.
const unixPrefix = "unix:"

// maxSocketPath is how long the path of a socket may be, in bytes: the system's field ends with a zero.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// endpoint is what listens on HOST:PORT or unix:PATH: a network and an address of package net. The error tells why nothing
// can, as far as that shows before something tries.
func endpoint(address string) (network, where string, err error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		where, err = socketPath(path)
		return "unix", where, err
	}
	_, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return "", "", err
	case port == "":
		return "", "", errors.New("it has no port; give HOST:PORT")
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", "", fmt.Errorf("%q is no port; give a number from 0 to 65535", port)
	}
	return "tcp", address, nil
}

// socketPath is the path behind "unix:", where a socket can be made.
func socketPath(path string) (string, error) {
	if strings.HasPrefix(path, "//") { // gRPC's URI of an absolute path
		if path = path[2:]; !strings.HasPrefix(path, "/") {
			return "", fmt.Errorf("a host has no place in it; write unix:%s, or unix:///PATH for an absolute path", path)
		}
	}
	switch {
	case path == "":
		return "", errors.New("it has no path; give unix:PATH")
	case path[0] == '@' || strings.ContainsRune(path, 0):
		return "", errors.New("sockets without a file are not supported, because every user of the machine reaches them; give unix:PATH")
	case len(path) > maxSocketPath:
		return "", fmt.Errorf("its path has %d bytes, and may have %d; choose a shorter one", len(path), maxSocketPath)
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("its folder %s cannot be used: %w; make it first", folder, plain(err))
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s is no folder; choose another path", folder)
	}
	switch info, err := os.Lstat(path); {
	case err == nil && info.IsDir(), strings.HasSuffix(path, "/"):
		return "", errors.New("it is a folder; give the path of a socket in it")
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return "", errors.New("a file lies there that is no socket; move it away, or choose another path")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", plain(err)
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return "", fmt.Errorf("its folder %s cannot be written: %w; choose another one", folder, err)
	}
	return path, nil
}

// addressOf is where a listener listens, as a client is told it.
func addressOf(l net.Listener) string {
	switch {
	case l == nil:
		return "none"
	case l.Addr().Network() == "unix":
		return unixPrefix + l.Addr().String()
	default:
		return l.Addr().String()
	}
}
