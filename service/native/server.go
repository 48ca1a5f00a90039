// Package native is the door explaind.v1.ExplainService. It converts between the protocol's messages and the types of
// package service, and runs the streams. What an answer is made of, it does not know.
package native

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// Server is the service. All methods may be called by many goroutines at once.
type Server struct {
	pb.UnimplementedExplainServiceServer
	service  *service.Service
	draining <-chan struct{}
	window   int
	log      *slog.Logger
}

// New returns the service. Streams end when draining is closed. The log gets what interceptors do not see: causes of
// errors, and panics, of single images of a stream; nil logs nothing.
//
// Each stream holds twice as many images as are worked on in all requests together, maxWindow at the most: while these are
// computed, others are read and sent.
func New(s *service.Service, draining <-chan struct{}, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{service: s, draining: draining, window: min(2*s.MaxInFlight(), maxWindow), log: log}
}

// maxWindow bounds the images that one stream holds. It keeps the largest batches full, and what a stream whose caller
// does not read its answers takes in memory stays small.
const maxWindow = 64

// Register puts the service on a gRPC server, before that serves.
func Register(r grpc.ServiceRegistrar, s *Server) { pb.RegisterExplainServiceServer(r, s) }

// Predict is the RPC.
func (s *Server) Predict(ctx context.Context, r *pb.PredictRequest) (*pb.PredictResponse, error) {
	answer, err := s.service.Predict(ctx, predictRequest(r))
	if err != nil {
		return nil, err
	}
	return predictResponse(answer), nil
}

// PredictStream is the RPC.
func (s *Server) PredictStream(wire grpc.BidiStreamingServer[pb.PredictStreamRequest, pb.PredictStreamResponse]) error {
	return serve(s, wire, predictDialect{s.service})
}

// Explain is the RPC.
func (s *Server) Explain(ctx context.Context, r *pb.ExplainRequest) (*pb.ExplainResponse, error) {
	request, err := explainRequest(r)
	if err != nil {
		return nil, err
	}
	answer, err := s.service.Explain(ctx, request)
	if err != nil {
		return nil, err
	}
	return explainResponse(answer), nil
}

// ExplainStream is the RPC.
func (s *Server) ExplainStream(wire grpc.BidiStreamingServer[pb.ExplainStreamRequest, pb.ExplainStreamResponse]) error {
	return serve(s, wire, explainDialect{s.service})
}

// ListModels is the RPC.
func (s *Server) ListModels(context.Context, *pb.ListModelsRequest) (*pb.ListModelsResponse, error) {
	return listModelsResponse(s.service.List()), nil
}

// GetModel is the RPC.
func (s *Server) GetModel(_ context.Context, r *pb.GetModelRequest) (*pb.GetModelResponse, error) {
	d, err := s.service.Describe(selector(r))
	if err != nil {
		return nil, err
	}
	return getModelResponse(d), nil
}
