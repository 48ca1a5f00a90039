package repository

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/explaind/explaind"
)

// Source is a model on disk: its name and the folder that holds its versions, or the SavedModel itself.
type Source struct {
	Name string
	Dir  string
}

// savedModel is the file that makes a folder a SavedModel.
const savedModel = "saved_model.pb"

// ParseSource reads NAME=DIR.
func ParseSource(s string) (Source, error) {
	name, dir, found := strings.Cut(s, "=")
	if !found || dir == "" {
		return Source{}, explaind.Errorf(explaind.InvalidArgument, "BAD_MODEL_SOURCE", "%q is not NAME=DIR", s)
	}
	if err := CheckName(name); err != nil {
		return Source{}, err
	}
	if err := checkFolder(dir); err != nil {
		return Source{}, err
	}
	return Source{Name: name, Dir: dir}, nil
}

// Scan finds the models in a folder: the folder itself if it is a SavedModel or holds versions of one, otherwise each
// folder in it. Hidden folders and files are not looked at.
func Scan(dir string) ([]Source, error) {
	found, err := scan(dir)
	if err == nil && len(found) == 0 {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS",
			"%s holds no model: expected %s, VERSION/%[2]s or NAME/VERSION/%[2]s in it", dir, savedModel)
	}
	return found, err
}

// CheckRoot is Scan for a folder that models may come into: one without any is empty, and no error.
func CheckRoot(dir string) (empty bool, err error) {
	found, err := scan(dir)
	return err == nil && len(found) == 0, err
}

func scan(dir string) ([]Source, error) {
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	itself, err := versions(dir)
	if err != nil {
		return nil, err
	}
	if len(itself) > 0 {
		name, err := folderName(dir)
		if err != nil {
			return nil, err
		}
		return []Source{{Name: name, Dir: dir}}, CheckName(name)
	}
	names, err := children(dir)
	if err != nil {
		return nil, err
	}
	var found []Source
	for _, name := range names {
		if path := filepath.Join(dir, name); isFolder(path) {
			found = append(found, Source{Name: name, Dir: path})
		}
	}
	if other := otherForm(dir); other != "" && !slices.ContainsFunc(found, holdsVersions) { // its folders are parts of the model, or something else
		return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS", "%s holds no SavedModel: %s", dir, other)
	}
	return found, nil
}

// children are the names in a folder that are not hidden and may be folders: links, whatever they lead to, are among them.
func children(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && (e.IsDir() || e.Type()&fs.ModeSymlink != 0) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func holdsVersions(s Source) bool {
	found, err := versions(s.Dir)
	return err == nil && len(found) > 0
}

// versionFolder is one version on disk.
type versionFolder struct {
	number int64
	dir    string
}

// versions lists the versions in a model's folder, the latest last. A SavedModel without version folders has the version
// that its own folder is named by, or else is version 1. Folders whose name is not a positive number are not versions.
// A link that leads nowhere is one: it is there, and cannot be loaded.
func versions(dir string) ([]versionFolder, error) {
	if _, err := os.Stat(filepath.Join(dir, savedModel)); err == nil {
		number := int64(1)
		if abs, err := filepath.Abs(dir); err == nil {
			if own, ok := versionNumber(filepath.Base(abs)); ok {
				number = own
			}
		}
		return []versionFolder{{number, dir}}, nil
	}
	names, err := children(dir)
	if err != nil {
		return nil, err
	}
	var found []versionFolder
	for _, name := range names {
		path := filepath.Join(dir, name)
		if number, ok := versionNumber(name); ok && !isFile(path) {
			found = append(found, versionFolder{number, path})
		}
	}
	// "1" and "001" are the same version: the plain spelling wins.
	sort.SliceStable(found, func(i, j int) bool {
		if found[i].number != found[j].number {
			return found[i].number < found[j].number
		}
		return len(found[i].dir) < len(found[j].dir)
	})
	return slices.CompactFunc(found, func(a, b versionFolder) bool { return a.number == b.number }), nil
}

// versionNumber reads a folder's name as a version: digits only, and above 0.
func versionNumber(name string) (int64, bool) {
	number, err := strconv.ParseInt(name, 10, 64)
	return number, err == nil && number > 0 && strings.TrimLeft(name, "0123456789") == ""
}

// noVersion tells that a model's folder holds none.
func noVersion(dir string) error {
	e := explaind.Errorf(explaind.FailedPrecondition, "NO_VERSION",
		"the model's folder holds neither %s nor a folder named by a version number, such as 1/%[1]s", savedModel)
	return withOtherForm(e, dir)
}

// check tells why a version's folder holds no SavedModel; nil if it does.
func (f versionFolder) check() error {
	if _, err := os.Stat(f.dir); err != nil {
		return explaind.Errorf(explaind.FailedPrecondition, "FOLDER_UNREADABLE", "the folder of version %d cannot be read: %w", f.number, withoutPath(err))
	}
	if _, err := os.Stat(filepath.Join(f.dir, savedModel)); err != nil {
		e := explaind.Errorf(explaind.FailedPrecondition, "NO_SAVED_MODEL", "version %d has no %s in its folder", f.number, savedModel)
		return withOtherForm(e, f.dir)
	}
	return nil
}

// folderName is the folder's own name, also for "." and "..". The folder of a version is named by its parent:
// resnet50/3 is the model resnet50.
func folderName(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", unreadable(dir, err)
	}
	name := filepath.Base(abs)
	if _, ok := versionNumber(name); ok && filepath.Dir(abs) != "/" {
		name = filepath.Base(filepath.Dir(abs))
	}
	return name, nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return explaind.Errorf(explaind.NotFound, "FOLDER_NOT_FOUND", "the model folder %s does not exist", dir)
	case err != nil:
		return unreadable(dir, err)
	case !info.IsDir() && wayOut(filepath.Base(dir)) != "":
		return explaind.Errorf(explaind.FailedPrecondition, "NOT_A_FOLDER", "%s is not the folder of a SavedModel: %s", dir, wayOut(filepath.Base(dir)))
	case !info.IsDir():
		return explaind.Errorf(explaind.FailedPrecondition, "NOT_A_FOLDER", "%s is a file; give the folder that holds %s", dir, savedModel)
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path) // follows links: versions are often links into a store
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func unreadable(dir string, err error) error {
	return explaind.Errorf(explaind.FailedPrecondition, "FOLDER_UNREADABLE", "the model folder %s cannot be read: %w", filepath.Base(dir), withoutPath(err))
}

// withoutPath leaves the path out of the cause: the text goes over the wire.
func withoutPath(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}
