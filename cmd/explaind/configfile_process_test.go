package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A server needs no flag: a file says all, or the environment does. It outlives SIGHUP.
func TestServeWithoutFlags(t *testing.T) {
	r := newRig(t, "colours")
	picture := paint(t, filepath.Join(t.TempDir(), "a.png"), red, red)
	file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), fmt.Sprintf(`grpc: 127.0.0.1:0
http: 127.0.0.1:0
models:
  - name: paint
    path: %s
    labels: {stable: 1}
log-format: text
grace: 1s
`, r.model("colours")))
	for name, c := range map[string]struct {
		environment map[string]string
		model       string
	}{
		"file": {map[string]string{"EXPLAIND_CONFIG": file}, "paint"},
		"environment": {map[string]string{
			"EXPLAIND_MODELS": r.models, "EXPLAIND_GRPC": "127.0.0.1:0", "EXPLAIND_HTTP": "127.0.0.1:0", "EXPLAIND_GRACE": "1s", "EXPLAIND_VERSION_POLICY": "latest=1",
		}, "colours"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.environment {
				t.Setenv(variable, value)
			}
			server := start(t, "fake", "serve")
			server.t = t
			at := server.wait(`msg=ready grpc=(\S+) http=(\S+) models=` + c.model + ` failed=none`)
			server.grpc, server.http = at[1], at[2]
			server.signal(syscall.SIGHUP)
			server.wait("SIGHUP changes nothing")
			for variable := range c.environment {
				must(t, os.Unsetenv(variable))
			}
			r.run("predict", picture, "--server", server.grpc, "--model", c.model).want(t, statusGood)
			server.signal(syscall.SIGTERM)
			server.ended(statusGood)
			server.wait("msg=stopping .*grace=1s")
		})
	}
}
