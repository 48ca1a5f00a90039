package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindPictures(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"cat.jpg", "dog.PNG", "notes.txt", "[odd].png",
		"photos/b.webp", "photos/a.jpeg", "photos/.hidden.png", "photos/notes.txt", "photos/deep/c.png", "photos/folder.png/x",
		"more/cat.png", "more/CAT.bmp", "empty/notes.txt",
	} {
		write(t, name, "")
	}
	must(t, os.Symlink("../cat.jpg", "more/link.gif"))
	for _, c := range []struct {
		arguments string
		paths     string
		stems     string // "" is not checked
		missing   string
	}{
		{"cat.jpg notes.txt", "cat.jpg notes.txt", "cat notes", ""}, // a file that is named is taken whatever it is called
		{"photos", "photos/a.jpeg photos/b.webp", "a b", ""},
		{"photos/", "photos/a.jpeg photos/b.webp", "a b", ""},
		{"*.jpg photos/*", "cat.jpg photos/a.jpeg photos/b.webp photos/notes.txt", "", ""},
		{"photos/.*.png", "photos/.hidden.png", ".hidden", ""},
		{"[odd].png", "[odd].png", "[odd]", ""},
		{"cat.jpg more", "cat.jpg more/CAT.bmp more/cat.png more/link.gif", "cat CAT-2 cat-3 link", ""},
		{"cat.jpg ./cat.jpg *.jpg", "cat.jpg", "cat", ""},
		{"gone.png cat.jpg empty *.gif [", "cat.jpg", "cat", "gone.png empty *.gif ["},
	} {
		pictures, failed := findPictures(strings.Fields(c.arguments))
		var paths, stems, missing []string
		for _, p := range pictures {
			paths = append(paths, p.path)
			stems = append(stems, p.stem)
		}
		for _, m := range failed {
			missing = append(missing, m.argument)
		}
		for _, m := range failed {
			if folder := m.argument == "empty"; folder != strings.HasSuffix(m.err.Error(), "; subfolders are not searched") {
				t.Errorf("%s: %v", m.argument, m.err)
			}
		}
		if !slices.Equal(paths, strings.Fields(c.paths)) {
			t.Errorf("%s: pictures %q, want %q", c.arguments, paths, c.paths)
		}
		if c.stems != "" && !slices.Equal(stems, strings.Fields(c.stems)) {
			t.Errorf("%s: stems %q, want %q", c.arguments, stems, c.stems)
		}
		if !slices.Equal(missing, strings.Fields(c.missing)) {
			t.Errorf("%s: missing %q, want %q", c.arguments, missing, c.missing)
		}
	}
}

func TestReadRefusesWhatDoesNotFitAMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.png")
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(maxImageBytes+1)) // a hole: it takes no space
	must(t, f.Close())
	if _, err := (picture{path: path}).read(); err == nil || !strings.Contains(err.Error(), "larger than the 63 MiB") {
		t.Errorf("got %v", err)
	}
	must(t, os.Truncate(path, maxImageBytes))
	if data, err := (picture{path: path}).read(); err != nil || len(data) != maxImageBytes {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
}
