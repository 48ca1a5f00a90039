// Package admin is the door explaind.v1.ModelAdminService: models are loaded, unloaded and labelled by those who run the
// server. What that does, it does not know.
package admin

import (
	"context"

	"google.golang.org/grpc"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// Models is what the service acts on; package repository has it.
type Models interface {
	LoadModel(ctx context.Context, name string, version int64) (explaind.ModelRef, error)
	UnloadModel(name string, version int64) error
	SetVersionLabel(name, label string, version int64) error
}

// Server is the service. All methods may be called by many goroutines at once.
type Server struct {
	pb.UnimplementedModelAdminServiceServer
	models Models
}

// New returns the service for the models.
func New(models Models) *Server { return &Server{models: models} }

// Register puts the service on a gRPC server, before that serves.
func Register(r grpc.ServiceRegistrar, s *Server) { pb.RegisterModelAdminServiceServer(r, s) }

// LoadModel is the RPC.
func (s *Server) LoadModel(ctx context.Context, r *pb.LoadModelRequest) (*pb.LoadModelResponse, error) {
	ref, err := s.models.LoadModel(ctx, r.GetModel(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return &pb.LoadModelResponse{Model: &pb.ModelRef{Name: ref.Name, Version: ref.Version, Digest: ref.Digest}}, nil
}

// UnloadModel is the RPC.
func (s *Server) UnloadModel(_ context.Context, r *pb.UnloadModelRequest) (*pb.UnloadModelResponse, error) {
	if err := s.models.UnloadModel(r.GetModel(), r.GetVersion()); err != nil {
		return nil, err
	}
	return &pb.UnloadModelResponse{}, nil
}

// SetVersionLabel is the RPC.
func (s *Server) SetVersionLabel(_ context.Context, r *pb.SetVersionLabelRequest) (*pb.SetVersionLabelResponse, error) {
	if err := s.models.SetVersionLabel(r.GetModel(), r.GetLabel(), r.GetVersion()); err != nil {
		return nil, err
	}
	return &pb.SetVersionLabelResponse{}, nil
}
