package admin_test

import (
	"context"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/internal/fakerepo"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/admin"
	"github.com/explaind/explaind/service/grpcserver"
	"github.com/explaind/explaind/service/native"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server of a model m, whose repository is watched, with both of its doors.
type rig struct {
	pb.ExplainServiceClient
	pb.ModelAdminServiceClient
	repo *fakerepo.Repo
}

func start(t *testing.T) *rig {
	t.Helper()
	repo := fakerepo.New(t, map[string]explaind.Model{"m": fakemodel.New(4, "one", "b"), "broken": nil})
	host := grpcserver.New(grpcserver.Options{Grace: 5 * time.Second})
	native.Register(host.Registrar(), native.New(service.New(repo, service.Options{}), host.Draining(), nil))
	admin.Register(host.Registrar(), admin.New(repo))
	ctx, stop := context.WithCancel(context.Background())
	listener := bufconn.Listen(1 << 20)
	watched, served := make(chan struct{}), make(chan error, 1)
	go func() { repo.Watch(ctx); close(watched) }()
	go func() { served <- host.Serve(ctx, listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		stop()
		<-watched
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &rig{pb.NewExplainServiceClient(conn), pb.NewModelAdminServiceClient(conn), repo}
}

// answering is the version that answers a request for a version or label, and the reason why none does.
func (r *rig) answering(t *testing.T, version int64, label string) (int64, string) {
	t.Helper()
	answer, err := r.Predict(t.Context(), &pb.PredictRequest{Model: "m", Version: version, VersionLabel: label, Image: &pb.Image{Source: &pb.Image_Tensor{
		Tensor: &pb.Tensor{Shape: []int64{4, 4, 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: make([]byte, 48)}}}})
	return answer.GetModel().GetVersion(), reason(err)
}

func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return status.Code(err).String()
}

// versions are those of m, as clients see them.
func (r *rig) versions(t *testing.T) map[int64]*pb.ModelVersion {
	t.Helper()
	list, err := r.ListModels(t.Context(), &pb.ListModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[int64]*pb.ModelVersion{}
	for _, m := range list.GetModels() {
		for _, v := range m.GetVersions() {
			if m.GetName() == "m" {
				found[v.GetVersion()] = v
			}
		}
	}
	return found
}

func TestLifeOfAVersion(t *testing.T) {
	r, ctx := start(t), t.Context()
	r.repo.Put("m", 2, fakemodel.New(4, "two", "b"))
	loaded, err := r.LoadModel(ctx, &pb.LoadModelRequest{Model: "m"})
	if m := loaded.GetModel(); err != nil || m.GetName() != "m" || m.GetVersion() != 2 || m.GetDigest() != "fa4etwo" {
		t.Fatalf("got %v, %v", loaded, err)
	}
	if version, why := r.answering(t, 0, ""); version != 2 {
		t.Errorf("version %d answers, %s", version, why)
	}
	if _, why := r.answering(t, 1, ""); why != "MODEL_UNLOADED" {
		t.Errorf("the old version: %s", why)
	}
	r.repo.Put("m", 1, fakemodel.New(4, "one", "b")) // the first one is closed
	if _, err := r.LoadModel(ctx, &pb.LoadModelRequest{Model: "m", Version: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetVersionLabel(ctx, &pb.SetVersionLabelRequest{Model: "m", Label: "stable", Version: 1}); err != nil {
		t.Fatal(err)
	}
	if version, why := r.answering(t, 0, "stable"); version != 1 {
		t.Errorf("version %d is stable, %s", version, why)
	}
	if got := r.versions(t)[1]; got.GetState() != pb.ModelState_MODEL_STATE_READY || len(got.GetLabels()) != 1 || got.GetLabels()[0] != "stable" {
		t.Errorf("version 1 is %v", got)
	}
	described, err := r.GetModel(ctx, &pb.GetModelRequest{Model: "m", VersionLabel: "stable"})
	if err != nil || described.GetModel().GetVersion() != 1 || described.GetVersions()[0].GetLabels()[0] != "stable" {
		t.Errorf("got %v, %v", described, err)
	}
	if _, err := r.UnloadModel(ctx, &pb.UnloadModelRequest{Model: "m", Version: 2}); err != nil {
		t.Fatal(err)
	}
	if version, why := r.answering(t, 0, ""); version != 1 {
		t.Errorf("version %d answers, %s", version, why)
	}
	if got := r.versions(t)[2]; got.GetState() != pb.ModelState_MODEL_STATE_UNLOADED || got.GetDigest() != "" {
		t.Errorf("version 2 is %v", got)
	}
	if _, err := r.UnloadModel(ctx, &pb.UnloadModelRequest{Model: "m"}); err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"", "stable"} {
		if _, why := r.answering(t, 0, label); why != "MODEL_UNLOADED" {
			t.Errorf("an unloaded model: %s", why)
		}
	}
}

// A stream keeps the version it began with, which is UNLOADING until then.
func TestStreamOutlivesItsVersion(t *testing.T) {
	r, ctx := start(t), t.Context()
	stream, err := r.PredictStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Config{Config: &pb.PredictStreamConfig{Model: "m"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil { // started
		t.Fatal(err)
	}
	if _, err := r.UnloadModel(ctx, &pb.UnloadModelRequest{Model: "m"}); err != nil {
		t.Fatal(err)
	}
	if got := r.versions(t)[1].GetState(); got != pb.ModelState_MODEL_STATE_UNLOADING {
		t.Errorf("the version is %v", got)
	}
	item := &pb.ImageItem{Sequence: 7, Image: &pb.Image{Source: &pb.Image_Tensor{
		Tensor: &pb.Tensor{Shape: []int64{4, 4, 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: make([]byte, 48)}}}}
	if err := stream.Send(&pb.PredictStreamRequest{Message: &pb.PredictStreamRequest_Item{Item: item}}); err != nil {
		t.Fatal(err)
	}
	if answer, err := stream.Recv(); err != nil || answer.GetResult().GetResponse().GetModel().GetVersion() != 1 {
		t.Errorf("got %v, %v", answer, err)
	}
	_ = stream.CloseSend()
	for err == nil {
		_, err = stream.Recv()
	}
	for deadline := time.Now().Add(10 * time.Second); r.versions(t)[1].GetState() != pb.ModelState_MODEL_STATE_UNLOADED; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the version never leaves")
		}
	}
}

func TestRefusals(t *testing.T) {
	r, ctx := start(t), t.Context()
	load := func(model string, version int64) error {
		_, err := r.LoadModel(ctx, &pb.LoadModelRequest{Model: model, Version: version})
		return err
	}
	unload := func(model string, version int64) error {
		_, err := r.UnloadModel(ctx, &pb.UnloadModelRequest{Model: model, Version: version})
		return err
	}
	label := func(model, label string, version int64) error {
		_, err := r.SetVersionLabel(ctx, &pb.SetVersionLabelRequest{Model: model, Label: label, Version: version})
		return err
	}
	for name, c := range map[string]struct {
		err    error
		code   codes.Code
		reason string
	}{
		"load nothing":          {load("", 0), codes.InvalidArgument, "MODEL_REQUIRED"},
		"load an unknown model": {load("nobody", 0), codes.NotFound, "MODEL_NOT_FOUND"},
		"load a path":           {load("../m", 0), codes.NotFound, "MODEL_NOT_FOUND"},
		"load an unknown":       {load("m", 9), codes.NotFound, "VERSION_NOT_FOUND"},
		"load a negative":       {load("m", -1), codes.InvalidArgument, "BAD_VERSION"},
		"load a broken one":     {load("broken", 1), codes.FailedPrecondition, "MODEL_FAILED"},
		"unload an unknown":     {unload("m", 9), codes.NotFound, "VERSION_NOT_FOUND"},
		"unload a negative":     {unload("m", -1), codes.InvalidArgument, "BAD_VERSION"},
		"label a broken one":    {label("broken", "x", 1), codes.FailedPrecondition, "VERSION_NOT_READY"},
		"label an unknown":      {label("m", "x", 9), codes.NotFound, "VERSION_NOT_FOUND"},
		"no label":              {label("m", "", 1), codes.InvalidArgument, "BAD_VERSION_LABEL"},
		"not a label":           {label("m", "a/b", 1), codes.InvalidArgument, "BAD_VERSION_LABEL"},
		"remove an unknown":     {label("m", "x", 0), codes.NotFound, "VERSION_LABEL_NOT_FOUND"},
	} {
		if status.Code(c.err) != c.code || reason(c.err) != c.reason {
			t.Errorf("%s: %v %s, want %v %s", name, c.err, reason(c.err), c.code, c.reason)
		}
	}
	if version, why := r.answering(t, 0, ""); version != 1 {
		t.Errorf("version %d answers, %s", version, why)
	}
}
