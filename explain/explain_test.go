package explain

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/explaind/explaind"
)

// A method that the root package names but this one cannot compute would only be noticed by the first caller.
func TestTableHoldsEveryMethod(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../method.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Method" {
			named[strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)] = true
		}
		return true
	})
	if len(named) < 6 {
		t.Fatalf("found only %d methods in method.go: %v", len(named), named)
	}
	for _, m := range Methods() {
		if !named[string(m)] {
			t.Errorf("table holds %q twice, or the root package does not name it", m)
		}
		delete(named, string(m))
		if d, err := Lookup(m); err != nil || d.Method != m || (d.Func == nil) == (d.Ask == nil) {
			t.Errorf("Lookup(%q) = %+v, %v", m, d, err)
		}
	}
	for m := range named {
		t.Errorf("method %q has no row in the table", m)
	}
}

func TestLookupAndParse(t *testing.T) {
	for name, want := range map[string]explaind.Method{
		"Grad-CAM++": explaind.MethodGradCAMPlusPlus, "METHOD_CAM": explaind.MethodCAM,
		"article-grad-cam": explaind.MethodArticleGradCAM, "gradcam": explaind.MethodGradCAM,
	} {
		if got, err := Parse(name); err != nil || got != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	_, lookup := Lookup("lime")
	_, parse := Parse("lime")
	for _, err := range []error{lookup, parse} {
		var e *explaind.Error
		if !errors.As(err, &e) || e.Code != explaind.InvalidArgument || e.Reason != "UNKNOWN_METHOD" {
			t.Fatalf("unknown method gives %v", err)
		}
		for _, m := range Methods() {
			if !strings.Contains(e.Message, string(m)) {
				t.Errorf("%q does not name %q", e.Message, m)
			}
		}
	}
}
