package savedmodel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Digest is the hex SHA-256 over the files that make the model what it is: saved_model.pb, variables and assets, with
// their names and sizes. Equal digests mean equal models, wherever their folders lie.
func Digest(dir string) (string, error) {
	if err := Exists(dir); err != nil {
		return "", err
	}
	files, err := modelFiles(dir)
	if err != nil {
		return "", unreadable("the SavedModel's folder", err)
	}
	sum := sha256.New()
	for _, name := range files {
		if err := add(sum, dir, name); err != nil {
			return "", unreadable(name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Bytes is the size of the files that make the model what it is, see Digest.
func Bytes(dir string) (size int64, err error) {
	files, err := modelFiles(dir)
	if err != nil {
		return 0, unreadable("the SavedModel's folder", err)
	}
	for _, name := range files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return 0, unreadable(name, err)
		}
		size += info.Size()
	}
	return size, nil
}

func add(sum io.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%s\n%d\n", filepath.ToSlash(name), info.Size())
	_, err = io.Copy(sum, f)
	return err
}

func modelFiles(dir string) ([]string, error) {
	files := []string{modelFile}
	for _, sub := range []string{"variables", "assets"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
				return ignoreMissing(err)
			}
			name, err := filepath.Rel(dir, path)
			files = append(files, name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return files, nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
