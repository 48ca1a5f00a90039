package depcheck

import (
	"fmt"
	"slices"
	"strings"
)

// Wall is one rule about who may import what.
type Wall struct {
	Name string
	// Check returns one complaint for each breach, with the file, what it must not use, and where that belongs.
	Check func([]File) []string
}

// Walls are all of them. Package main of cmd, bench and examples wires rooms together, so most of them let it through.
var Walls = []Wall{
	{"TensorFlow stays in tfmodel", tensorFlow},
	{"nothing links TensorFlow by way of another package", reachesTensorFlow},
	{"gRPC stays in the doors", grpcStaysInDoors},
	{"the root imports the standard library only", rootIsPlain},
	{"flags and environment are read by programs only", configuration},
	{"rooms do not know their siblings", siblings},
	{"test support stays out of the product", testSupport},
}

const (
	tfgo     = "github.com/galeone/tfgo"
	binding  = "github.com/galeone/tensorflow/tensorflow/go"
	messages = binding + "/core" // generated messages, no cgo
)

// linksTensorFlow reports whether an import path brings the C library along, or cgo as such.
func linksTensorFlow(imported string) bool {
	return imported == "C" || inside(imported, tfgo) || inside(imported, binding) && !inside(imported, messages)
}

// tensorFlow keeps the C library in one package and tfgo, which panics on every failure, in one file of it. The packages
// below tfmodel rewrite graphs and need TensorFlow's messages only. bench/bare is what explaind is measured against.
func tensorFlow(files []File) (complaints []string) {
	for _, f := range files {
		for _, imported := range f.Imports {
			switch {
			case inside(f.Dir(), "bench"):
			case inside(imported, tfgo) && f.Path != "tfmodel/session.go":
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only tfmodel/session.go may, which turns its panics into errors", f.Path, imported))
			case linksTensorFlow(imported) && f.Dir() != "tfmodel":
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only package tfmodel may", f.Path, imported))
			case inside(imported, messages) && !inside(f.Dir(), "tfmodel"):
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only tfmodel and the packages below it may", f.Path, imported))
			}
		}
	}
	return complaints
}

// reachesTensorFlow keeps every package but tfmodel and the programs, tests included, free of the C library through all
// its imports: they build and test without it.
func reachesTensorFlow(files []File) (complaints []string) {
	imports := map[string][]string{} // package → what its files import, tests left out: an importer does not get those
	for _, f := range files {
		if !f.IsTest() {
			imports[f.Dir()] = append(imports[f.Dir()], f.Imports...)
		}
	}
	for _, f := range files {
		if f.Dir() == "tfmodel" || insideAny(f.Dir(), "cmd", "bench") {
			continue
		}
		for _, imported := range f.Imports {
			dir, ok := own(imported)
			if !ok {
				continue
			}
			if chain := wayToTensorFlow(dir, imports, map[string]bool{}); chain != nil {
				complaints = append(complaints, fmt.Sprintf("%s links TensorFlow: it imports %s", f.Path, strings.Join(chain, ", which imports ")))
			}
		}
	}
	return complaints
}

// wayToTensorFlow returns the packages from dir to TensorFlow, or nil if there is no way.
func wayToTensorFlow(dir string, imports map[string][]string, seen map[string]bool) []string {
	if seen[dir] {
		return nil
	}
	seen[dir] = true
	for _, imported := range imports[dir] {
		if linksTensorFlow(imported) {
			return []string{dir, imported}
		}
		if next, ok := own(imported); ok {
			if chain := wayToTensorFlow(next, imports, seen); chain != nil {
				return append([]string{dir}, chain...)
			}
		}
	}
	return nil
}

// grpcStaysInDoors lets a protocol's types go no further than the door that speaks it.
func grpcStaysInDoors(files []File) (complaints []string) {
	for _, f := range files {
		isDoor := strings.HasPrefix(f.Dir(), "service/")
		if isDoor || f.IsTest() || insideAny(f.Dir(), "cmd", "bench", "examples", "internal", "gen") {
			continue
		}
		for _, imported := range f.Imports {
			if insideAny(imported, "google.golang.org/grpc", "google.golang.org/genproto", "github.com/grpc-ecosystem", Module+"/gen") {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only a door (service/NAME), cmd and tests may", f.Path, imported))
			}
		}
	}
	return complaints
}

// rootIsPlain keeps the words free of every library, since every other package imports them.
func rootIsPlain(files []File) (complaints []string) {
	for _, f := range files {
		if f.Dir() != "" || f.IsTest() {
			continue
		}
		for _, imported := range f.Imports {
			// Only paths of the standard library have a first element without a dot.
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") || imported == "C" {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: the root imports the standard library only", f.Path, imported))
			}
		}
	}
	return complaints
}

// configuration makes every setting of a library an argument: what a program's flags and environment mean is decided in
// one place.
func configuration(files []File) (complaints []string) {
	for _, f := range files {
		if f.IsTest() || insideAny(f.Dir(), "cmd", "bench", "examples", "internal") {
			continue
		}
		for _, imported := range f.Imports {
			if imported == "flag" || insideAny(imported, "github.com/spf13/cobra", "github.com/spf13/pflag") {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: only programs read flags; take an option instead", f.Path, imported))
			}
		}
		for _, used := range f.OS {
			if slices.Contains([]string{"Args", "Environ", "Expand", "ExpandEnv", "Getenv", "LookupEnv", "Setenv", "Unsetenv"}, used) {
				complaints = append(complaints, fmt.Sprintf("%s uses os.%s: only programs read their environment; take an option instead", f.Path, used))
			}
		}
	}
	return complaints
}

// rooms says for each room which packages of this module it may import. About a package that is not listed nothing is said.
var rooms = map[string][]string{
	"batch":              {""},
	"explain":            {""},
	"faithfulness":       {""},
	"imaging":            {""},
	"render":             {""},
	"repository":         {""},
	"service":            {"", "explain", "faithfulness", "imaging", "render"},
	"tfmodel":            {"", "tfmodel/graphdef", "tfmodel/savedmodel"},
	"tfmodel/graphdef":   {"", "tfmodel/savedmodel"},
	"tfmodel/savedmodel": {""},
}

// doors is what a door, a folder of service, may import besides the folders below it.
var doors = []string{"", "gen", "service", "service/grpcserver"}

// siblings makes rooms meet only where somebody brings them together: pixels, methods and pictures in service, models and
// doors in cmd. Tests may cross: some of them compare what two rooms say.
func siblings(files []File) (complaints []string) {
	for _, f := range files {
		allowed, listed := mayImport(f.Dir())
		if !listed || f.IsTest() {
			continue
		}
		for _, imported := range f.Imports {
			dir, ok := own(imported)
			if !ok || slices.ContainsFunc(allowed, func(room string) bool { return dir == room || ownsAll(room) && inside(dir, room) }) {
				continue
			}
			complaints = append(complaints, fmt.Sprintf("%s imports %s: of this module, %s may import %s only", f.Path, imported, f.Dir(), list(allowed)))
		}
	}
	return complaints
}

// mayImport returns the rooms that a package may import, and whether anything is said about it at all.
func mayImport(dir string) (allowed []string, listed bool) {
	if below, isDoor := strings.CutPrefix(dir, "service/"); isDoor {
		door, _, _ := strings.Cut(below, "/")
		return append(slices.Clone(doors), "service/"+door), true
	}
	allowed, listed = rooms[dir]
	return allowed, listed
}

// ownsAll reports whether leave to import a room is leave to import all that lies below it.
func ownsAll(room string) bool { return room == "gen" || strings.HasPrefix(room, "service/") }

func list(dirs []string) string {
	names := slices.Clone(dirs)
	if i := slices.Index(names, ""); i >= 0 {
		names[i] = "the root"
	}
	return strings.Join(names, ", ")
}

// testSupport keeps the fakes, made models and oracles of internal/ out of what users run.
func testSupport(files []File) (complaints []string) {
	for _, f := range files {
		if f.IsTest() || inside(f.Dir(), "internal") {
			continue
		}
		for _, imported := range f.Imports {
			if inside(imported, Module+"/internal") {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: internal/ is for tests", f.Path, imported))
			}
		}
	}
	return complaints
}
