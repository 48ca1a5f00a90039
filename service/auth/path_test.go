package auth

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw calls a path that no gRPC client would send, with an empty message, and returns the status that came back.
func (r *rig) raw(path string, authorization ...string) map[string]string {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.address)
	must(r.t, err)
	defer conn.Close()
	must(r.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	must(r.t, err)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	must(r.t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	fields := [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"}}
	for _, a := range authorization {
		fields = append(fields, [2]string{"authorization", a})
	}
	for _, f := range fields {
		must(r.t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	must(r.t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
	must(r.t, framer.WriteData(1, true, []byte{0, 0, 0, 0, 0}))
	answer := map[string]string{}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			answer["connection"] = err.Error()
			return answer
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				must(r.t, framer.WriteSettingsAck())
			}
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				answer[field.Name] = field.Value
			}
			if f.StreamEnded() {
				return answer
			}
		case *http2.RSTStreamFrame:
			answer["reset"] = f.ErrCode.String()
			return answer
		}
	}
}

// Paths that are nearly those of a method reach no handler, whoever calls (grpc-go before 1.79.3 let the first one through).
func TestMalformedPaths(t *testing.T) {
	const (
		unimplemented   = "12"
		unauthenticated = "16"
	)
	for _, late := range []bool{false, true} {
		r := newRig(t, setup{tokens: tokensOf(), late: late})
		for _, path := range []string{
			"explaind.v1.ExplainService/Predict", "//explaind.v1.ExplainService/Predict", "/explaind.v1.ExplainService/Predict/",
			"/explaind.v1.ExplainService//Predict", "/explaind.v1.ExplainService/predict", "/explaind.v1.ExplainService/Predict?x=1",
			"/explaind.v1.ExplainService/Predict%00", "/explaind.v1.ExplainService", "/explaind.v1.ExplainService/", "/", "x", "*",
			"/grpc.health.v1.Health/../explaind.v1.ExplainService/Predict", "/grpc.health.v1.Health/explaind.v1.ExplainService/Predict",
			"http://x/explaind.v1.ExplainService/Predict",
		} {
			if got := r.raw(path); got["grpc-status"] != unimplemented && got["grpc-status"] != unauthenticated {
				t.Errorf("late=%v, %q without a token: %v", late, path, got)
			} else if !late && got["grpc-status"] != unauthenticated {
				t.Errorf("%q without a token: %v, though its caller is nobody", path, got)
			}
			if got := r.raw(path, "Bearer "+tokenOf("all")); got["grpc-status"] != unimplemented {
				t.Errorf("late=%v, %q with a token: %v", late, path, got)
			}
		}
		if got := r.raw("", "Bearer "+tokenOf("all")); got["grpc-status"] == "0" {
			t.Errorf("late=%v, no path: %v", late, got)
		}
		if n := r.reached.Load(); n != 0 {
			t.Errorf("late=%v: %d calls reached a handler", late, n)
		}
		if got := r.raw("/explaind.v1.ExplainService/Predict", "Bearer\t"+tokenOf("all")); got["grpc-status"] == "0" {
			t.Errorf("late=%v, a tab: %v", late, got)
		}
		if got := r.raw("/explaind.v1.ExplainService/Predict", "Bearer "+tokenOf("all")); got["grpc-status"] != "0" || r.reached.Load() != 1 {
			t.Errorf("late=%v, the right path: %v", late, got)
		}
	}
}
