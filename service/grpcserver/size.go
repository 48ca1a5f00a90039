package grpcserver

import (
	"errors"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
)

const answerTooLarge = "ANSWER_TOO_LARGE"

// checkSize refuses an answer that is larger than a message may be. gRPC would refuse it too, but with words that name
// no way out, and it would end the whole stream.
func (s *Server) checkSize(answer any) error {
	m, ok := answer.(proto.Message)
	if !ok {
		return nil
	}
	size := proto.Size(m)
	if size <= s.largest {
		return nil
	}
	e := explaind.Errorf(explaind.ResourceExhausted, answerTooLarge,
		"the answer has %d bytes and the server sends at most %d; ask for fewer maps or pictures at a time, or for RESOLUTION_LAYER", size, s.largest)
	e.Metadata = map[string]string{"max_bytes": strconv.Itoa(s.largest)}
	return e
}

// NotSent tells whether a stream's Send refused an answer for its size. The stream goes on.
func NotSent(err error) bool {
	var e *explaind.Error
	return errors.As(err, &e) && e.Reason == answerTooLarge
}

type boundedStream struct {
	grpc.ServerStream
	server *Server
}

func (s *boundedStream) SendMsg(m any) error {
	if err := s.server.checkSize(m); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}
