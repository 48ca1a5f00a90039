package savedmodel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metapb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
)

func put(t *testing.T, content string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// graphs writes a SavedModel with one graph for each list of tags.
func graphs(t *testing.T, dir string, tags ...[]string) {
	t.Helper()
	model := new(metapb.SavedModel)
	for _, list := range tags {
		model.MetaGraphs = append(model.MetaGraphs, &metapb.MetaGraphDef{MetaInfoDef: &metapb.MetaGraphDef_MetaInfoDef{Tags: list}})
	}
	data, err := proto.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	put(t, string(data), dir, "saved_model.pb")
}

func TestReadChoosesTheServingGraph(t *testing.T) {
	dir := t.TempDir()
	graphs(t, dir, []string{"train"}, []string{"serve", "tpu"}, []string{"serve"})
	_, tags, err := Read(dir)
	if err != nil || strings.Join(tags, " ") != "serve" {
		t.Errorf("tags %v, %v; want serve", tags, err)
	}
}

func TestDigest(t *testing.T) {
	fill := func(change func(dir string)) string {
		dir := t.TempDir()
		graphs(t, dir, []string{"serve"})
		put(t, "index", dir, "variables", "variables.index")
		put(t, "weights", dir, "variables", "variables.data-00000-of-00001")
		put(t, "cat", dir, "assets", "labels.txt")
		change(dir)
		digest, err := Digest(dir)
		if err != nil || len(digest) != 64 {
			t.Fatalf("digest %q, %v", digest, err)
		}
		return digest
	}
	same := fill(func(string) {})
	for what, c := range map[string]struct {
		change func(dir string)
		equal  bool
	}{
		"another folder": {func(string) {}, true},
		"a hidden file":  {func(dir string) { put(t, "x", dir, "variables", ".nfs0001") }, true},
		"a file beside":  {func(dir string) { put(t, "x", dir, "explaind.yaml") }, true},
		"other weights":  {func(dir string) { put(t, "Weights", dir, "variables", "variables.data-00000-of-00001") }, false},
		"other labels":   {func(dir string) { put(t, "dog", dir, "assets", "labels.txt") }, false},
		"one more file":  {func(dir string) { put(t, "", dir, "assets", "more") }, false},
		"another graph":  {func(dir string) { graphs(t, dir, []string{"serve"}, []string{"train"}) }, false},
		"content that moved": {func(dir string) {
			put(t, "indexw", dir, "variables", "variables.index")
			put(t, "eights", dir, "variables", "variables.data-00000-of-00001")
		}, false},
	} {
		if got := fill(c.change); (got == same) != c.equal {
			t.Errorf("%s: the digests' equality is %v, want %v", what, got == same, c.equal)
		}
	}
}

func TestSignature(t *testing.T) {
	out := map[string]*metapb.TensorInfo{"y": {}}
	signatures := func(names ...string) *metapb.MetaGraphDef {
		g := &metapb.MetaGraphDef{SignatureDef: map[string]*metapb.SignatureDef{
			"__saved_model_init_op": {Outputs: out}, "train_op": {},
		}}
		for _, name := range names {
			g.SignatureDef[name] = &metapb.SignatureDef{Outputs: out}
		}
		return g
	}
	for what, c := range map[string]struct {
		graph        *metapb.MetaGraphDef
		ask          string
		want, reason string
	}{
		"the default":        {signatures("serving_default", "other"), "", "serving_default", ""},
		"the only one":       {signatures("predict"), "", "predict", ""},
		"the one named":      {signatures("serving_default", "other"), "other", "other", ""},
		"none":               {signatures(), "", "", "NO_SIGNATURE"},
		"none but one named": {signatures("a", "b"), "c", "", "SIGNATURE_NOT_FOUND"},
		"two":                {signatures("a", "b"), "", "", "AMBIGUOUS_SIGNATURE"},
	} {
		got, def, err := Signature(c.graph, c.ask)
		if got != c.want || (def != nil) != (c.want != "") {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
		if c.reason != "" && (err == nil || explaind.AsError(err).Reason != c.reason) {
			t.Errorf("%s: %v, want %s", what, err, c.reason)
		}
	}
}
