// Package depcheck holds the walls between the rooms of this module, as rules over the imports of its source files. It
// reads source text only: nothing is compiled, so the walls stand even where TensorFlow's C library is missing.
package depcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the import path of this module.
const Module = "github.com/explaind/explaind"

// File is what the walls want to know of one Go file.
type File struct {
	Path    string   // from the module's root, with slashes
	Imports []string // as written: import paths
	OS      []string // what it uses of package os: "Getenv", "Open", …
}

// Dir is the file's package as a folder from the module's root; "" is the root.
func (f File) Dir() string { return strings.TrimPrefix(path.Dir("/"+f.Path), "/") }

// IsTest reports whether the file is compiled for tests only.
func (f File) IsTest() bool { return strings.HasSuffix(f.Path, "_test.go") }

// ReadTree reads every Go file of the module at root, whatever its build constraints. Hidden folders, testdata and nested
// modules are left out, as the go command does.
func ReadTree(root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && !belongs(name, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := Parse(filepath.ToSlash(relative), string(source))
		files = append(files, file)
		return err
	})
	return files, err
}

func belongs(dir, base string) bool {
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err != nil
}

// Parse reads one file.
func Parse(name, source string) (File, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return File{}, fmt.Errorf("reading imports: %w", err)
	}
	file := File{Path: name}
	osName := ""
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		file.Imports = append(file.Imports, imported)
		if imported == "os" {
			osName = "os"
			if spec.Name != nil {
				osName = spec.Name.Name
			}
		}
	}
	slices.Sort(file.Imports)
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			if x, ok := node.X.(*ast.Ident); ok && osName != "" && x.Name == osName {
				file.OS = append(file.OS, node.Sel.Name)
			}
		case *ast.Ident:
			if osName == "." {
				file.OS = append(file.OS, node.Name)
			}
		}
		return true
	})
	return file, nil
}

// inside reports whether a folder or import path is room or lies below it.
func inside(name, room string) bool {
	return name == room || strings.HasPrefix(name, room+"/")
}

// insideAny reports whether a folder or import path lies in one of the rooms.
func insideAny(name string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return inside(name, room) })
}

// own returns the folder of an import path of this module.
func own(imported string) (dir string, ok bool) {
	if !inside(imported, Module) {
		return "", false
	}
	return strings.TrimPrefix(strings.TrimPrefix(imported, Module), "/"), true
}
