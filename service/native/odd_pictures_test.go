package native_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service/grpcserver"
)

// Files of every kind that is read, CMYK, 16 bits, animated, turned by EXIF and so on, are answered as the pixels that Pillow or
// TensorFlow read from them.
func TestOddPicturesAreAnsweredAsTheirPixels(t *testing.T) {
	pictures := filepath.Join("..", "..", "imaging", "testdata")
	var files []struct {
		File          string
		Width, Height int64
		Rows          []string // hex of RGB
	}
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join(pictures, "decode.json"))), &files); err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("only %d files", len(files))
	}
	r := start(t, one(colours()))
	for _, f := range files {
		var pixels []byte
		for _, row := range f.Rows {
			pixels = append(pixels, must[[]byte](t)(hex.DecodeString(row))...)
		}
		encoded := must[[]byte](t)(os.ReadFile(filepath.Join(pictures, "pictures", f.File)))
		got, err := r.Predict(t.Context(), &pb.PredictRequest{Image: tensorless(encoded)})
		if err != nil {
			t.Errorf("%s: %v", f.File, err)
			continue
		}
		want := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: tensor(uint8s, pixels, f.Height, f.Width, 3)}))
		for i, w := range want.GetPredictions() {
			g := got.GetPredictions()[i]
			if g.GetClassIndex() != w.GetClassIndex() || math.Abs(float64(g.GetProbability()-w.GetProbability())) > 0.005 {
				t.Errorf("%s: place %d is %v, want %v", f.File, i+1, g, w)
			}
		}
	}
	r.stillServes(t)
}

// What no handler sees, because gRPC itself refuses it: messages that are too large, compressed or not, or no messages.
func TestWhatIsNoRequest(t *testing.T) {
	s := one(colours())
	s.server, s.tcp = grpcserver.Options{MaxMessageBytes: 1 << 20}, true
	r := start(t, s)
	large := &pb.PredictRequest{Image: tensorless(make([]byte, 2<<20))}
	for _, c := range []struct {
		what string
		call func() error
		code codes.Code
	}{
		{"too large a message", func() error {
			return r.conn.Invoke(t.Context(), pb.ExplainService_Predict_FullMethodName, large, new(pb.PredictResponse))
		}, codes.ResourceExhausted},
		{"a message that gunzips to too much", func() error {
			return r.conn.Invoke(t.Context(), pb.ExplainService_Predict_FullMethodName, large, new(pb.PredictResponse), grpc.UseCompressor(gzip.Name))
		}, codes.ResourceExhausted},
		{"a method that does not exist", func() error {
			return r.conn.Invoke(t.Context(), "/explaind.v1.ExplainService/Train", large, new(pb.PredictResponse))
		}, codes.Unimplemented},
		{"a service that does not exist", func() error {
			return r.conn.Invoke(t.Context(), "/explaind.v2.ExplainService/Predict", &pb.PredictRequest{}, new(pb.PredictResponse))
		}, codes.Unimplemented},
	} {
		if code := status.Code(c.call()); code != c.code {
			t.Errorf("%s: %v, want %v", c.what, code, c.code)
		}
	}
	r.stillServes(t)
}
