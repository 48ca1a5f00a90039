package auth

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the guard adds to a call, with a token of a hundred. Each call pays it twice.
func BenchmarkAdmit(b *testing.B) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "- {name: t%d, token: %s, groups: [predict]}\n", i, tokenOf(fmt.Sprintf("t%d-", i)))
	}
	file := filepath.Join(b.TempDir(), "tokens.yaml")
	must(b, os.WriteFile(file, []byte(text.String()), 0o600))
	g, err := New(Options{Tokens: file, Log: slog.New(slog.DiscardHandler)})
	must(b, err)
	shown := presented{authorization: []string{"Bearer " + tokenOf("t50-")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.admit(shown, predictMethod, Predict); err != nil {
			b.Fatal(err)
		}
	}
}
