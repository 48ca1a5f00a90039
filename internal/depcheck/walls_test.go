package depcheck

import (
	"strings"
	"testing"
)

// breaches are made-up trees, each with one breach of one wall. Every other wall must let the tree through.
var breaches = []struct {
	wall string
	tree map[string]string
	want string // in the complaint
}{
	{"TensorFlow stays in tfmodel", tree("tfmodel/tensor.go", `import "github.com/galeone/tfgo"`), "only tfmodel/session.go may"},
	{"TensorFlow stays in tfmodel", tree("tfmodel/graphdef/cut.go", `import tf "github.com/galeone/tensorflow/tensorflow/go"`), "only package tfmodel may"},
	{"TensorFlow stays in tfmodel", tree("service/run.go", `import "github.com/galeone/tensorflow/tensorflow/go/op"`), "only package tfmodel may"},
	{"TensorFlow stays in tfmodel", tree("service/run_test.go", `import "C"`), "only package tfmodel may"},
	{"TensorFlow stays in tfmodel", tree("repository/source.go", `import _ "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"`), "the packages below it"},

	{"nothing links TensorFlow by way of another package", tree(
		"internal/e2e/server_test.go", `import "github.com/explaind/explaind/internal/kitchen"`,
		"internal/kitchen/kitchen.go", `import "github.com/explaind/explaind/tfmodel"`,
		"tfmodel/session.go", `import "github.com/galeone/tfgo"`,
	), "internal/e2e/server_test.go links TensorFlow: it imports internal/kitchen, which imports tfmodel, which imports github.com/galeone/tfgo"},
	{"nothing links TensorFlow by way of another package", tree(
		"internal/kitchen/kitchen.go", `import "github.com/explaind/explaind/tfmodel"`,
		"tfmodel/ops.go", `import "C"`,
	), "internal/kitchen/kitchen.go links TensorFlow"},

	{"gRPC stays in the doors", tree("service/explain.go", `import "google.golang.org/grpc/codes"`), "service/explain.go"},
	{"gRPC stays in the doors", tree("tfmodel/open.go", `import rpc "google.golang.org/genproto/googleapis/rpc/status"`), "only a door"},
	{"gRPC stays in the doors", tree("cache/cache.go", `import pb "github.com/explaind/explaind/gen/explaind/v1"`), "only a door"},
	{"gRPC stays in the doors", tree("batch/batch.go", `import "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"`), "only a door"},

	{"the root imports the standard library only", tree("tensor.go", `import "golang.org/x/exp/slices"`), "tensor.go imports golang.org/x/exp/slices"},

	{"flags and environment are read by programs only", tree("repository/repository.go", `import "flag"`), "only programs read flags"},
	{"flags and environment are read by programs only", tree("service/native/server.go", `import "github.com/spf13/cobra"`), "only programs read flags"},
	{"flags and environment are read by programs only", tree("imaging/limits.go", `import "os"; var limit = os.Getenv("LIMIT")`), "uses os.Getenv"},
	{"flags and environment are read by programs only", tree("tfmodel/store.go", `import system "os"; var home, _ = system.LookupEnv("HOME")`), "uses os.LookupEnv"},
	{"flags and environment are read by programs only", tree("render/font.go", `import . "os"; var arguments = Args`), "uses os.Args"},

	{"rooms do not know their siblings", tree("imaging/decode.go", `import "github.com/explaind/explaind/render"`), "imaging may import the root only"},
	{"rooms do not know their siblings", tree("repository/source.go", `import "github.com/explaind/explaind/batch"`), "repository may import the root only"},
	{"rooms do not know their siblings", tree("tfmodel/explain.go", `import "github.com/explaind/explaind/explain"`), "tfmodel may import the root, tfmodel/graphdef, tfmodel/savedmodel only"},
	{"rooms do not know their siblings", tree("tfmodel/graphdef/cut.go", `import "github.com/explaind/explaind/imaging"`), "tfmodel/graphdef may import"},
	{"rooms do not know their siblings", tree("explain/cam.go", `import "github.com/explaind/explaind/service"`), "explain may import the root only"},
	{"rooms do not know their siblings", tree("faithfulness/road.go", `import "github.com/explaind/explaind/explain"`), "faithfulness may import the root only"},
	{"rooms do not know their siblings", tree("service/explain.go", `import "github.com/explaind/explaind/repository"`), "service may import the root, explain, faithfulness, imaging, render only"},
	{"rooms do not know their siblings", tree("service/run.go", `import "github.com/explaind/explaind/service/native"`), "service may import"},
	{"rooms do not know their siblings", tree("service/native/convert.go", `import "github.com/explaind/explaind/service/kserve"`), "service/native may import"},
	{"rooms do not know their siblings", tree("service/kserve/tensor/raw.go", `import "github.com/explaind/explaind/imaging"`), "service/kserve/tensor may import"},
	{"rooms do not know their siblings", tree("service/grpcserver/server.go", `import "github.com/explaind/explaind/service/native"`), "service/grpcserver may import"},

	{"test support stays out of the product", tree("cmd/explaind/serve.go", `import "github.com/explaind/explaind/internal/fakemodel"`), "internal/ is for tests"},
}

func TestEveryWallComplains(t *testing.T) {
	proven := map[string]bool{}
	for _, b := range breaches {
		proven[b.wall] = true
		files := parse(t, b.tree)
		for _, wall := range Walls {
			complaints := wall.Check(files)
			switch {
			case wall.Name != b.wall && len(complaints) > 0:
				t.Errorf("%v: %q complains without cause: %q", b.tree, wall.Name, complaints)
			case wall.Name == b.wall && !strings.Contains(strings.Join(complaints, "\n"), b.want):
				t.Errorf("%v: %q complains %q, want %q", b.tree, wall.Name, complaints, b.want)
			}
		}
	}
	for _, wall := range Walls {
		if !proven[wall.Name] {
			t.Errorf("nothing shows that %q would complain", wall.Name)
		}
	}
}

func TestWhatIsAllowed(t *testing.T) {
	files := parse(t, tree(
		"errors.go", `import "fmt"; import "os"; var _ = os.ErrNotExist`,
		"batch/batch.go", `import "github.com/explaind/explaind"; import "golang.org/x/sync/errgroup"`,
		"cmd/explaind/main.go", `import "os"; import "flag"; import "github.com/explaind/explaind/tfmodel"; import "github.com/explaind/explaind/batch"; var _ = os.Getenv("X")`,
		"service/explain.go", `import "github.com/explaind/explaind/imaging"; import "github.com/explaind/explaind/render"`,
		"service/faithfulness.go", `import "github.com/explaind/explaind/explain"; import "github.com/explaind/explaind/faithfulness"`,
		"service/native/server.go", `import "google.golang.org/grpc"; import "github.com/explaind/explaind/service"; import "github.com/explaind/explaind/gen/explaind/v1"`,
		"service/native/streams/stream.go", `import "github.com/explaind/explaind/service/grpcserver"; import "github.com/explaind/explaind/service/native/limits"`,
		"service/explain_test.go", `import "google.golang.org/grpc"; import "github.com/explaind/explaind/internal/fakemodel"; import "github.com/explaind/explaind/repository"`,
		"tfmodel/session.go", `import "github.com/galeone/tfgo"; import "github.com/explaind/explaind/tfmodel/graphdef"`,
		"tfmodel/session_test.go", `import "os"; import "github.com/explaind/explaind/explain"; var _ = os.Getenv("X")`,
		"tfmodel/graphdef/cut.go", `import "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"`,
		"bench/bare/session.go", `import "github.com/galeone/tfgo"`,
		"internal/golden/golden.go", `import "flag"; import "testing"`,
	))
	for _, wall := range Walls {
		for _, complaint := range wall.Check(files) {
			t.Errorf("%q complains without cause: %s", wall.Name, complaint)
		}
	}
}

func TestParseSaysWhichFileIsBroken(t *testing.T) {
	if _, err := Parse("imaging/decode.go", "package imaging\nimport ("); err == nil || !strings.Contains(err.Error(), "imaging/decode.go:2") {
		t.Errorf("got %v, want the place of the mistake", err)
	}
}

// tree pairs paths with what stands below the package clause.
func tree(pathsAndSources ...string) map[string]string {
	files := map[string]string{}
	for i := 0; i < len(pathsAndSources); i += 2 {
		files[pathsAndSources[i]] = pathsAndSources[i+1]
	}
	return files
}

func parse(t *testing.T, tree map[string]string) []File {
	t.Helper()
	var files []File
	for path, source := range tree {
		f, err := Parse(path, "package made_up\n"+source)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
