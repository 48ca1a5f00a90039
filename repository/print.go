package repository

import (
	"fmt"
	"hash"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"
)

// Bounds of a look at a version's folder. A SavedModel has a dozen files; the bounds are for links that lead in circles, and
// for a folder that is something else.
const (
	maxDepth = 8
	maxFiles = 10_000
)

// sidecar is the file beside the SavedModel, or beside its versions, that tells how pictures become its input.
const sidecar = "explaind.yaml"

// fingerprint tells a version's files from what they were at another time: the path of each, its size, and when it was
// changed. Nothing is read, so that it costs little, also on a network's disk. The same links that lead elsewhere give another
// fingerprint, as does another explaind.yaml beside the version.
//
// newest is when anything in the folder was last changed, the folders too: they tell of files that are still being copied
// with their old times.
func fingerprint(dir string) (files uint64, newest time.Time) {
	p := printer{sum: fnv.New64a()}
	if place, err := filepath.EvalSymlinks(dir); err == nil {
		fmt.Fprint(p.sum, place)
	}
	p.file(filepath.Join(filepath.Dir(filepath.Clean(dir)), sidecar), "../"+sidecar, maxDepth)
	p.file(dir, ".", 0)
	return p.sum.Sum64(), p.newest
}

type printer struct {
	sum    hash.Hash64
	newest time.Time
	files  int
}

// file adds a file or a folder with all that is in it. What cannot be read is in the fingerprint as such.
func (p *printer) file(path, name string, depth int) {
	p.files++
	if p.files > maxFiles {
		return
	}
	info, err := os.Stat(path) // follows links: files are often links into a store
	if err != nil {
		fmt.Fprintf(p.sum, "%q?", name)
		return
	}
	if info.ModTime().After(p.newest) {
		p.newest = info.ModTime()
	}
	if !info.IsDir() {
		fmt.Fprintf(p.sum, "%q %d %d;", name, info.Size(), info.ModTime().UnixNano())
		return
	}
	fmt.Fprintf(p.sum, "%q/", name)
	if depth >= maxDepth {
		return
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		fmt.Fprint(p.sum, "?")
		return
	}
	for _, e := range entries {
		p.file(filepath.Join(path, e.Name()), name+"/"+e.Name(), depth+1)
	}
}
