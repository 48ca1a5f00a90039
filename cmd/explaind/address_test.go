package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What serve could not listen on is refused, by serve and by config check with the same words.
func TestAddressesThatNothingListensOn(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "a letter")
	for address, want := range map[string]string{
		"":                                      "gRPC has no address; give --grpc HOST:PORT",
		"127.0.0.1":                             "missing port",
		"127.0.0.1:":                            "has no port",
		"127.0.0.1:99999":                       `"99999" is no port`,
		"127.0.0.1:-1":                          `"-1" is no port`,
		"127.0.0.1:no-such-service":             `"no-such-service" is no port`,
		"unix:":                                 "it has no path",
		"unix:@abstract":                        "sockets without a file are not supported",
		"unix:" + dir + "/gone/x":               "its folder " + dir + "/gone cannot be used: no such file or directory",
		"unix:" + dir + "/":                     "it is a folder",
		"unix:" + dir:                           "it is a folder",
		"unix:" + file:                          "a file lies there that is no socket",
		"unix:" + file + "/x":                   file + " is no folder",
		"unix:" + strings.Repeat("x", 108):      "its path has 108 bytes, and may have 107",
		"unix://host/x":                         "a host has no place in it",
		"unix://" + dir + "/gone/x":             "its folder " + dir + "/gone cannot be used",
		"unix:" + dir + "/" + string([]byte{0}): "sockets without a file",
	} {
		for _, command := range [][]string{{"serve"}, {"config", "check"}} {
			o := r.run(append(command, "--models", r.models, "--http", "", "--grpc", address)...).want(t, statusNotStarted, want)
			if !strings.HasPrefix(o.stderr, "explaind: --grpc ") || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("%v with %q says\n%s", command, address, o.stderr)
			}
			if address != "" {
				r.run(append(command, "--models", r.models, "--grpc", "127.0.0.1:0", "--http", address)...).want(t, statusNotStarted, "--http", want)
			}
		}
		if l, err := listen(address, "--grpc"); err == nil {
			l.Close()
			t.Errorf("%q is listened on", address)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "a letter" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	// Wherever it is set.
	for _, grpc := range []string{`grpc: ""`, `grpc: ''`} {
		config := write(t, filepath.Join(dir, "explaind.yaml"), grpc+"\nmodels: "+r.models+"\n")
		for _, command := range [][]string{{"serve"}, {"config", "check"}} {
			r.run(append(command, "--config", config)...).want(t, statusNotStarted, config+":1: grpc is empty: gRPC has no address")
		}
	}
	t.Setenv("EXPLAIND_GRPC", "")
	for _, command := range [][]string{{"serve"}, {"config", "check"}} {
		r.run(append(command, "--models", r.models)...).want(t, statusNotStarted, "EXPLAIND_GRPC is empty: gRPC has no address")
	}
}

// The log tells the address of a socket as a client wants it.
func TestSocketIsToldAsClientsWantIt(t *testing.T) {
	r := newRig(t, "colours")
	dir := t.TempDir()
	for _, address := range []string{"unix:" + dir + "/s", "unix://" + dir + "/s"} {
		s := r.serve("--models", r.models, "--grpc", address)
		if want := "unix:" + dir + "/s"; s.grpc != want {
			t.Errorf("%s is told as %s", address, s.grpc)
		}
		s.wait("msg=ready grpc=unix:")
		r.run("models", "--server", s.grpc).want(t, statusGood)
		s.stop()
		s.ended(statusGood)
	}
	if got := addressOf(net.Listener(nil)); got != "none" {
		t.Errorf("no address is told as %s", got)
	}
}
