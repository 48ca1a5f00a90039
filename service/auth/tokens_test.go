package auth

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/explaind/explaind/internal/lockedbuffer"
)

func TestParseTokens(t *testing.T) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("short")))
	all, err := parseTokens("f", fmt.Appendf(nil, `
# comments are allowed
- name: team/notebook@home
  token: %s
  groups: [predict, explain]
  expires: 2027-01-31
- name: batch
  sha256: %s
  groups:
    - predict
- {name: job, token: "0123456789012345", groups: [admin], expires: 2027-01-31T12:00:00+02:00}
`, tokenOf("a"), strings.ToUpper(hash)))
	must(t, err)
	for secret, want := range map[string]string{tokenOf("a"): "team/notebook@home", "short": "batch", "0123456789012345": "job", "": "", hash: "", "012345678901234": ""} {
		got := ""
		if found := all.find(secret); found != nil {
			got = found.name
		}
		if got != want {
			t.Errorf("%q is the token of %q, want %q", secret, got, want)
		}
	}
	for i, moment := range []string{"2027-01-31T00:00:00Z", "", "2027-01-31T10:00:00Z"} {
		entry := (*all)[i]
		if moment == "" {
			if entry.expired(time.Now().AddDate(1000, 0, 0)) {
				t.Errorf("%s expires", entry.name)
			}
			continue
		}
		at, err := time.Parse(time.RFC3339, moment)
		must(t, err)
		if entry.expired(at.Add(-time.Second)) || !entry.expired(at) {
			t.Errorf("%s expires at %v, want %v", entry.name, entry.expires, at)
		}
	}
}

// A file that is not right is refused, with the place and never with the token.
func TestParseTokensRefuses(t *testing.T) {
	secret := tokenOf("secret")
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(secret)))
	good := "- {name: a, token: " + secret + ", groups: [predict]}\n"
	for text, want := range map[string]string{
		"":                                     "holds no tokens",
		"# nothing":                            "holds no tokens",
		"[]":                                   "holds no tokens",
		"tokens:\n" + good:                     "line 1",
		secret:                                 "line 1",
		"- " + secret:                          "line 1",
		"- {name: a, tokn: " + secret + "}":    "line 1",
		"\n\n- {name: a, token: [" + secret:    "line",
		"- {name: a, token: {" + secret + ": ": "line",
		"\t- " + secret:                        "is not",
		good + "---\n" + good:                  "goes on",
		good + good:                            "token 2 (a): the name is used twice",
		good + "- {name: b, token: " + secret + ", groups: [predict]}":                         "token 2 (b): a has the same token",
		good + "- {name: b, sha256: " + hash + ", groups: [predict]}":                          "token 2 (b): a has the same token",
		"- {token: " + secret + ", groups: [predict]}":                                         "token 1: name is missing",
		"- {name: " + secret + secret + ", token: " + secret + ", groups: [predict]}":          "token 1: name is missing",
		"- {name: 'a b', token: " + secret + ", groups: [predict]}":                            "name",
		"- {name: a, groups: [predict]}":                                                       "either token or sha256",
		"- {name: a, token: " + secret + ", sha256: " + hash + ", groups: [predict]}":          "either token or sha256",
		"- {name: a, token: 012345678901234, groups: [predict]}":                               "at least 16",
		"- {name: a, token: '" + secret + " ', groups: [predict]}":                             "letters, digits",
		"- {name: a, token: '" + secret + "é', groups: [predict]}":                             "letters, digits",
		"- {name: a, sha256: " + secret + "xyz, groups: [predict]}":                            "64 hexadecimal digits",
		"- {name: a, sha256: " + hash[:62] + ", groups: [predict]}":                            "64 hexadecimal digits",
		"- {name: a, token: " + secret + "}":                                                   "groups is missing",
		"- {name: a, token: " + secret + ", groups: []}":                                       "groups is missing",
		"- {name: a, token: " + secret + ", groups: [predict, " + secret + "]}":                "groups[1] is not known; choose among predict, explain, models, admin, metrics",
		"- {name: a, token: " + secret + ", groups: ['']}":                                     "groups[0] is not known",
		"- {name: a, token: " + secret + ", groups: " + secret + "}":                           "line 1",
		"- {name: a, token: " + secret + ", groups: [predict], expires: " + secret + "}":       "expires wants a date",
		"- {name: a, token: " + secret + ", groups: [predict], expires: 2027-13-01}":           "expires wants a date",
		"- {name: a, token: " + secret + ", groups: [predict], expires: 2027-01-01T12:00:00}":  "expires wants a date",
		"- {name: a, token: " + secret + ", groups: [predict], expires: never, colour: green}": "line 1",
	} {
		_, err := parseTokens("f", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "f ") {
			t.Errorf("%q: %v, want %q", text, err, want)
			continue
		}
		lacks(t, "the error", err.Error(), secret, hash, hash[:62], "012345678901234")
	}
}

// Files that everybody can read, and tokens that have expired, are warned of.
func TestTokensWarnings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		must(t, os.WriteFile(file, []byte(tokensOf()), 0o600))
		must(t, os.Chmod(file, mode))
		var log lockedbuffer.Buffer
		_, err := New(Options{Tokens: file, Log: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		if strings.Contains(log.String(), "chmod o-r") != warned {
			t.Errorf("%v: the log is %s", mode, log.String())
		}
		if !strings.Contains(log.String(), "token=expired") || strings.Contains(log.String(), "token=all") {
			t.Errorf("the log is %s", log.String())
		}
		lacks(t, "the log", log.String(), tokenOf("expired"))
	}
}

// Tokens are compared in constant time, and none of them is skipped: time would tell.
func TestFindTakesAsLongForAll(t *testing.T) {
	file, err := parser.ParseFile(gotoken.NewFileSet(), "tokens.go", nil, 0)
	must(t, err)
	compared, looped := false, false
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "find" {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			loop, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			looped = true
			ast.Inspect(loop.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					compared = compared || n.Sel.Name == "ConstantTimeCompare"
				case *ast.IfStmt, *ast.ReturnStmt, *ast.BranchStmt, *ast.BinaryExpr, *ast.SwitchStmt:
					t.Errorf("find decides within its loop: %T", n)
				}
				return true
			})
			return true
		})
	}
	if !compared || !looped {
		t.Error("find does not compare all tokens in constant time")
	}
}
