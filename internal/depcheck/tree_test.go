package depcheck

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestWallsStand(t *testing.T) {
	files, err := ReadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, wall := range Walls {
		for _, complaint := range wall.Check(files) {
			t.Errorf("%s: %s", wall.Name, complaint)
		}
	}
}

// A wall over a tree that was not read would always stand.
func TestReadTreeSeesTheModule(t *testing.T) {
	files, err := ReadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]File{}
	for _, f := range files {
		byPath[f.Path] = f
		if strings.HasPrefix(f.Path, ".") || strings.HasPrefix(f.Path, "tools/") || strings.Contains(f.Path, "testdata/") {
			t.Errorf("%s is no part of the module", f.Path)
		}
	}
	for path, imported := range map[string]string{
		"errors.go":                        "context",
		"tfmodel/session.go":               tfgo,
		"tfmodel/ops.go":                   "C",
		"tfmodel/savedmodel/savedmodel.go": messages + "/protobuf/for_core_protos_go_proto",
		"service/grpcserver/server.go":     "google.golang.org/grpc",
		"gen/explaind/v1/types.pb.go":      "google.golang.org/protobuf/runtime/protoimpl",
		"internal/depcheck/tree_test.go":   "testing",
	} {
		if !slices.Contains(byPath[path].Imports, imported) {
			t.Errorf("%s was read as importing %v, without %s", path, byPath[path].Imports, imported)
		}
	}
	if main := byPath["cmd/explaind/main.go"]; !slices.Contains(main.OS, "Exit") {
		t.Errorf("cmd/explaind/main.go was read as using %v of package os", main.OS)
	}
}

// Packages with cgo that come with other modules are seen by the go command alone.
func TestCgoComesFromTensorFlowOnly(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-test", "-f", "{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}", "./...")
	list.Dir = root
	list.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ") // without "[package.test]"
		packages = append(packages, name)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if want := []string{Module + "/tfmodel", binding}; !slices.Equal(packages, want) {
		t.Errorf("packages with cgo: %q, want %q", packages, want)
	}
}
