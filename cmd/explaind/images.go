package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/explaind/explaind"
)

// picture is one image file of the command line.
type picture struct {
	path string
	stem string // the file's name without its extension, made unique: what files about the picture are named by
}

// extensions are the image files that are taken from folders.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp"}

// missing is an argument that names no image.
type missing struct {
	argument string
	err      error
}

// findPictures expands files, folders and patterns, in the order of the arguments. Of a folder it takes the image
// files in it, not those in folders below and no hidden ones; a pattern that the shell has left alone is expanded as
// a shell does. A picture that several arguments name is taken once.
func findPictures(arguments []string) ([]picture, []missing) {
	var paths []string
	var failed []missing
	for _, argument := range arguments {
		found, err := expand(argument)
		if err != nil {
			failed = append(failed, missing{argument, err})
		}
		paths = append(paths, found...)
	}
	var pictures []picture
	seen, stems := map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		if clean := filepath.Clean(path); !seen[clean] {
			seen[clean] = true
			pictures = append(pictures, picture{path: path, stem: unique(stem(path), stems)})
		}
	}
	return pictures, failed
}

func expand(argument string) ([]string, error) {
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		return inFolder(argument)
	case err == nil:
		return []string{argument}, nil
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(argument, "*?["):
		return matching(argument)
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file")
	default:
		return nil, plain(err)
	}
}

func inFolder(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // ordered by name
	if err != nil {
		return nil, plain(err)
	}
	var found []string
	for _, e := range entries {
		extension := strings.ToLower(filepath.Ext(e.Name()))
		path := filepath.Join(dir, e.Name())
		if slices.Contains(extensions, extension) && !hidden(path) && !isFolder(path) {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the folder holds no image (%s); subfolders are not searched", strings.Join(extensions, ", "))
	}
	return found, nil
}

func matching(pattern string) ([]string, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern is not understood: %w", err)
	}
	asked := hidden(pattern)
	found := slices.DeleteFunc(paths, func(path string) bool { return isFolder(path) || hidden(path) && !asked })
	if len(found) == 0 {
		return nil, errors.New("no file fits the pattern")
	}
	return found, nil
}

func hidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

func isFolder(path string) bool {
	info, err := os.Stat(path) // follows links
	return err == nil && info.IsDir()
}

// stem is the file's name without its extension.
func stem(path string) string {
	base := filepath.Base(path)
	if name := strings.TrimSuffix(base, filepath.Ext(base)); name != "" {
		return name
	}
	return base // .jpg
}

// unique numbers a name that was given before: cat.jpg, cat.png and other/cat.jpg are cat, cat-2 and cat-3. Case is
// ignored, as some file systems do.
func unique(name string, taken map[string]bool) string {
	given := name
	for n := 2; taken[strings.ToLower(given)]; n++ {
		given = fmt.Sprintf("%s-%d", name, n)
	}
	taken[strings.ToLower(given)] = true
	return given
}

// read returns the file's bytes.
func (p picture) read() ([]byte, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxImageBytes+1))
	switch {
	case err != nil:
		return nil, plain(err)
	case len(data) == 0: // to the server this would be no image at all
		return nil, explaind.Errorf(explaind.InvalidArgument, "IMAGE_DECODE_FAILED", "the file is empty")
	case len(data) > maxImageBytes:
		return nil, fmt.Errorf("the file is larger than the %d MiB that are sent; make it smaller", maxImageBytes>>20)
	}
	return data, nil
}

// plain takes the path off a file's error: it is printed before it anyway.
func plain(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
