package tfmodel

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// sources are the files that decide what a SavedModel is compiled to.
//
//go:embed *.go graphdef/*.go savedmodel/*.go
var sources embed.FS

// programVersion changes whenever compile may make something else of the same SavedModel: with the sources of this
// package and with TensorFlow. Compiled models of another version are left alone in the cache and made anew.
var programVersion = sync.OnceValue(func() string {
	sum := sha256.New()
	fmt.Fprintln(sum, tf.Version())
	err := fs.WalkDir(sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := sources.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil { // the files are in the program itself
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
})
