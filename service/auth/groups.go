package auth

import (
	"slices"
	"strings"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// Group is a part of the interface that a token opens.
type Group string

// The groups.
const (
	Predict Group = "predict" // Predict, PredictStream
	Explain Group = "explain" // Explain, ExplainStream
	Models  Group = "models"  // ListModels, GetModel, server reflection, load reports
	Admin   Group = "admin"   // loading and unloading of models, channelz
	Metrics Group = "metrics" // on the HTTP port: metrics and profiles

	// anyone is the group of health checks: probes have no credentials.
	anyone Group = ""
)

// Groups are those that a token can have.
var Groups = []Group{Predict, Explain, Models, Admin, Metrics}

// methods are the groups of single methods. A new method of the service is in no group, and denied, until it stands here.
var methods = map[string]Group{
	pb.ExplainService_Predict_FullMethodName:       Predict,
	pb.ExplainService_PredictStream_FullMethodName: Predict,
	pb.ExplainService_Explain_FullMethodName:       Explain,
	pb.ExplainService_ExplainStream_FullMethodName: Explain,
	pb.ExplainService_ListModels_FullMethodName:    Models,
	pb.ExplainService_GetModel_FullMethodName:      Models,
}

// services are the groups of services all of whose methods are alike.
var services = map[string]Group{
	"explaind.v1.ModelAdminService":            Admin,
	"grpc.channelz.v1.Channelz":                Admin,
	"xds.service.orca.v3.OpenRcaService":       Models,
	"grpc.reflection.v1.ServerReflection":      Models,
	"grpc.reflection.v1alpha.ServerReflection": Models,
	healthpb.Health_ServiceDesc.ServiceName:    anyone,
}

// groupOf is the group of a method, "/package.service/method". What is in none is denied.
func groupOf(fullMethod string) (group Group, ok bool) {
	if group, ok = methods[fullMethod]; ok {
		return group, true
	}
	path, ok := strings.CutPrefix(fullMethod, "/")
	if !ok {
		return "", false
	}
	service, method, ok := strings.Cut(path, "/")
	if !ok || method == "" || strings.Contains(method, "/") {
		return "", false
	}
	group, ok = services[service]
	return group, ok
}

func isGroup(g Group) bool { return slices.Contains(Groups, g) }

func groupNames() string {
	names := make([]string, len(Groups))
	for i, g := range Groups {
		names[i] = string(g)
	}
	return strings.Join(names, ", ")
}
