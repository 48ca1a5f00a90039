package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/service/grpcserver"
)

// An error reads the same whether it was made in this process or came over the wire.
func TestFailureNearAndFar(t *testing.T) {
	for _, c := range []struct {
		err  *explaind.Error
		want failure
	}{
		{explaind.AtField(explaind.NotFoundError("layer", "conv9", []string{"conv8"}), "config.layers[2]").(*explaind.Error),
			failure{"NOT_FOUND", "LAYER_NOT_FOUND", `--layer: layer "conv9" does not exist; nearest: conv8`}},
		{explaind.FieldError("image.encoded", "IMAGE_DECODE_FAILED", "not an image"),
			failure{"INVALID_ARGUMENT", "IMAGE_DECODE_FAILED", "not an image"}},
		{explaind.Errorf(explaind.Unavailable, "MODEL_LOADING", "model is loading"),
			failure{"UNAVAILABLE", "MODEL_LOADING", "model is loading"}},
		{explaind.Errorf(explaind.FailedPrecondition, "X", "no"), failure{"FAILED_PRECONDITION", "X", "no"}},
		{explaind.Errorf(explaind.ResourceExhausted, "X", "no"), failure{"RESOURCE_EXHAUSTED", "X", "no"}},
	} {
		if got := failureOf(c.err); got != c.want {
			t.Errorf("near: got %+v, want %+v", got, c.want)
		}
		if got := failureOf(grpcserver.Status(c.err).Err()); got != c.want {
			t.Errorf("far: got %+v, want %+v", got, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{fmt.Errorf("--model: %w", explaind.Errorf(explaind.NotFound, "GONE", "gone")), "--model: gone (GONE)"},
		{explaind.Errorf(explaind.FailedPrecondition, "CACHE_UNWRITABLE", "read-only"),
			`read-only; choose a folder with --cache DIR, or none with --cache "" (CACHE_UNWRITABLE)`},
		{explaind.Errorf(explaind.Canceled, "CANCELED", "the caller went away"), "interrupted"},
		{status.Error(codes.Unavailable, "connection refused"), "the server cannot be reached: connection refused; check --server"},
		{status.Error(codes.Unimplemented, "unknown service"), "does --server name the gRPC address"},
		{status.Error(codes.DeadlineExceeded, "x"), "--timeout"},
		{status.Error(codes.ResourceExhausted, "too large"), "too large; send smaller images"},
		{status.Error(codes.Internal, "bad\x1b[31m\nnews"), "bad?[31m?news"},
	} {
		if got := describe(c.err); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
	}
}
