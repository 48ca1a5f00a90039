package grpcserver

import (
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/explaind/explaind"
)

// pushbackTrailer tells gRPC's own retries when to try again: a client with a retry policy waits that long.
const pushbackTrailer = "grpc-retry-pushback-ms"

// retryAfter is when to send a request again; 0 if that is no use.
func retryAfter(e *explaind.Error) time.Duration {
	switch e.Code {
	case explaind.Unavailable:
		return max(e.RetryAfter, time.Second)
	case explaind.ResourceExhausted:
		return e.RetryAfter
	default:
		return 0
	}
}

// pushback is the trailers that belong to an error; nil for most.
func pushback(err error) metadata.MD {
	var e *explaind.Error
	if !errors.As(err, &e) {
		return nil
	}
	after := retryAfter(e)
	if after == 0 {
		return nil
	}
	return metadata.Pairs(pushbackTrailer, strconv.FormatInt(max(after.Milliseconds(), 1), 10))
}
