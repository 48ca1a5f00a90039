package native

import (
	"cmp"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
)

func listModelsResponse(models []explaind.ModelStatus) *pb.ListModelsResponse {
	out := &pb.ListModelsResponse{}
	for _, m := range models {
		out.Models = append(out.Models, &pb.ModelStatus{Name: m.Name, Versions: versions(m.Versions)})
	}
	return out
}

func versions(list []explaind.VersionStatus) []*pb.ModelVersion {
	out := make([]*pb.ModelVersion, len(list))
	for i, v := range list {
		out[i] = &pb.ModelVersion{Version: v.Version, State: states[v.State], Status: grpcserver.Status(v.Err).Proto(), Digest: v.Digest, Labels: texts(v.Labels)}
	}
	return out
}

func getModelResponse(d *service.Description) *pb.GetModelResponse {
	spec := d.Spec
	out := &pb.GetModelResponse{
		Model: modelRef(d.Ref),
		Input: &pb.ModelInput{
			Name: text(spec.Input.Name), Batch: int32(spec.Input.Batch), Height: int32(spec.Input.Height), Width: int32(spec.Input.Width),
			Channels: int32(spec.Input.Channels), Dtype: spec.Input.DType,
		},
		Head: &pb.Head{
			Output: text(spec.Head.Output), Activation: string(spec.Head.Activation), Classes: int32(spec.Head.Classes),
			PooledLayer: text(spec.Head.PooledLayer),
		},
		Labels:        texts(spec.Labels),
		Preprocessing: preprocessing(spec.Preprocessing),
		DefaultLayer:  text(spec.DefaultLayer),
		Warnings:      texts(spec.Warnings),
		Versions:      versions(d.Versions),
	}
	for _, o := range spec.Outputs {
		out.Outputs = append(out.Outputs, &pb.ModelOutput{Name: text(o.Name), Dtype: o.DType, Shape: int64s(o.Shape)})
	}
	for _, m := range d.OfInput {
		out.InputMethods = append(out.InputMethods, methodNames[m])
	}
	for i := range spec.Layers {
		out.Layers = append(out.Layers, layer(&spec.Layers[i], d.Methods[i]))
	}
	return out
}

func layer(l *explaind.Layer, able []explaind.Method) *pb.Layer {
	out := &pb.Layer{
		Name: text(l.Name), Aliases: texts(l.Aliases), Op: text(l.Op), Height: int32(l.Height), Width: int32(l.Width),
		Channels: int32(l.Channels), Reason: text(l.Reason),
	}
	for _, m := range able {
		out.Methods = append(out.Methods, methodNames[m])
	}
	return out
}

// preprocessing spells out what the root package's zero values mean.
func preprocessing(p explaind.Preprocessing) *pb.Preprocessing {
	out := &pb.Preprocessing{
		Mode: string(p.Mode), Mean: p.Mean, Std: p.Std, Scale: p.Scale, Channels: "RGB",
		Resize: string(cmp.Or(p.Resize, explaind.ResizeBilinear)), Crop: string(cmp.Or(p.Crop, explaind.CropNone)),
	}
	switch {
	case len(p.Mean) > 0 || len(p.Std) > 0 || p.Scale != 0:
		out.Scale = cmp.Or(p.Scale, 1)
	default:
		out.Mode = string(cmp.Or(p.Mode, explaind.ModeNone))
	}
	if p.BGR {
		out.Channels = "BGR"
	}
	if p.Crop == explaind.CropCenter {
		out.CropFraction = cmp.Or(p.CropFraction, explaind.DefaultCropFraction)
	}
	return out
}
