package native_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// BenchmarkRefusal is what one request too many costs, caller and server together.
func BenchmarkRefusal(b *testing.B) {
	m := colours()
	g := gated(m)
	s := one(m)
	s.tcp, s.options = true, service.Options{MaxInFlight: 1, MaxQueue: 16}
	r := start(b, s)
	answered := r.busy(b, 1, 16)
	request := &pb.PredictRequest{Image: mixed(64, 64).image(b)} // 12 KB
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := r.Predict(b.Context(), request); status.Code(err) != codes.Unavailable {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	close(g.open)
	answered()
}
