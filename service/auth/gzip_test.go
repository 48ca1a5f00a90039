package auth

import (
	"context"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// zeros are 60 MB that compress to 60 KB.
var zeros = make([]byte, 60_000_000)

// send calls Predict with an image of zeros, compressed, and returns how much memory the process took for it: most of it
// is the client's, which compresses.
func send(t *testing.T, conn *grpc.ClientConn, token string, bytes int) (allocated uint64, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	request := &pb.PredictRequest{Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: zeros[:bytes]}}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = pb.NewExplainServiceClient(conn).Predict(ctx, request, grpc.UseCompressor(gzip.Name))
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// Clients may compress. What comes out of it is bounded as any message, and what strangers send is not even unpacked.
func TestCompressedRequests(t *testing.T) {
	small := newRig(t, setup{tokens: tokensOf(), maxMessage: 1 << 20})
	conn := small.dial(nil)
	if _, err := send(t, conn, tokenOf("all"), 900_000); err != nil || small.reached.Load() != 1 {
		t.Errorf("a message that fits: %v", err)
	}
	refused, err := send(t, conn, tokenOf("all"), len(zeros))
	if status.Code(err) != codes.ResourceExhausted || small.reached.Load() != 1 {
		t.Errorf("a message that is too large: %v", err)
	}

	large := newRig(t, setup{tokens: tokensOf(), maxMessage: 64 << 20})
	conn = large.dial(nil)
	taken, err := send(t, conn, tokenOf("all"), len(zeros))
	if err != nil || large.reached.Load() != 1 {
		t.Errorf("a message that fits: %v", err)
	}
	stranger, err := send(t, conn, tokenOf("stranger"), len(zeros))
	if reasonOf(err) != "TOKEN_UNKNOWN" || large.reached.Load() != 1 {
		t.Errorf("a stranger's message: %v", err)
	}
	t.Logf("allocated for 60 MB: %d MB if taken, %d MB if too large, %d MB if a stranger's", taken>>20, refused>>20, stranger>>20)
	// Client and server are one process here: what the server has for itself is what the others lack.
	if taken < refused+50<<20 || taken < stranger+50<<20 {
		t.Errorf("60 MB were unpacked: %d bytes were allocated if taken, %d if too large, %d if a stranger's", taken, refused, stranger)
	}
}
