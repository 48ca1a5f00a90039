package repository

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// latest is the highest version in a model's folder.
func latest(dir string) (versionFolder, error) {
	found, err := versions(dir)
	if err != nil {
		return versionFolder{}, err
	}
	if len(found) == 0 {
		return versionFolder{}, noVersion(dir)
	}
	last := found[len(found)-1]
	return last, last.check()
}

func TestScan(t *testing.T) {
	tests := []struct {
		name   string
		files  []string
		dir    string
		want   string // NAME:version:folder, …
		reason string
	}{
		{"many models", []string{"a/1/saved_model.pb", "b/2/saved_model.pb"}, "", "a:1:1 b:2:2", ""},
		{"latest by number, not by spelling", []string{"a/9/saved_model.pb", "a/10/saved_model.pb"}, "", "a:10:10", ""},
		{"one model with versions", []string{"m/1/saved_model.pb", "m/2/saved_model.pb"}, "m", "m:2:2", ""},
		{"a plain SavedModel", []string{"m/saved_model.pb", "m/variables/"}, "m", "m:1:m", ""},
		{"a version's own folder", []string{"m/7/saved_model.pb"}, "m/7", "m:7:7", ""},
		{"a folder of plain SavedModels", []string{"x/saved_model.pb", "y/saved_model.pb"}, "", "x:1:x y:1:y", ""},
		{"other folders and files are no versions", []string{"a/1/saved_model.pb", "a/best/saved_model.pb", "a/-3/", "a/+4/", "a/0/", "a/5", "a/explaind.yaml"}, "", "a:1:1", ""},
		{"hidden folders are no models", []string{"a/1/saved_model.pb", ".git/1/saved_model.pb", "README"}, "", "a:1:1", ""},
		{"leading zeros", []string{"a/001/saved_model.pb", "a/1/saved_model.pb"}, "", "a:1:1", ""},
		{"an empty version is reported, not passed over", []string{"a/1/saved_model.pb", "a/2/"}, "", "", "NO_SAVED_MODEL"},
		{"no version at all", []string{"a/photos/"}, "", "", "NO_VERSION"},
		{"nothing there", []string{"notes.txt"}, "", "", "NO_MODELS"},
		{"not a folder", []string{"notes.txt"}, "notes.txt", "", "NOT_A_FOLDER"},
		{"a text SavedModel", []string{"a/saved_model.pbtxt", "a/variables/x"}, "a", "", "NO_MODELS"},
		{"a Keras file among models", []string{"a/1/saved_model.pb", "b.keras"}, "", "a:1:1", ""},
		{"a Keras file given itself", []string{"a.keras"}, "a.keras", "", "NOT_A_FOLDER"},
		{"missing", nil, "nowhere", "", "FOLDER_NOT_FOUND"},
		{"a name that no client could type", []string{"my model/1/saved_model.pb"}, "my model", "", "BAD_MODEL_NAME"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			root := folders(t, tc.files...)
			sources, err := Scan(filepath.Join(root, tc.dir))
			var got []string
			for _, s := range sources {
				var v versionFolder
				if v, err = latest(s.Dir); err != nil {
					break
				}
				if err = CheckName(s.Name); err != nil {
					break
				}
				got = append(got, fmt.Sprintf("%s:%d:%s", s.Name, v.number, filepath.Base(v.dir)))
			}
			if reason(err) != tc.reason {
				t.Fatalf("error %v, want reason %q", err, tc.reason)
			}
			if err == nil && strings.Join(got, " ") != tc.want {
				t.Errorf("found %v, want %s", got, tc.want)
			}
		})
	}
}

func TestParseSource(t *testing.T) {
	dir := folders(t, "m/1/saved_model.pb")
	s, err := ParseSource("cats=" + dir + "/m")
	if err != nil || s.Name != "cats" || s.Dir != dir+"/m" {
		t.Errorf("got %+v, %v", s, err)
	}
	for text, want := range map[string]string{
		"cats":            "BAD_MODEL_SOURCE",
		"cats=":           "BAD_MODEL_SOURCE",
		"=" + dir:         "BAD_MODEL_NAME",
		"a/b=" + dir:      "BAD_MODEL_NAME",
		"cats=/nowhere/x": "FOLDER_NOT_FOUND",
	} {
		if _, err := ParseSource(text); reason(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Models in other forms are recognised, wherever they lie, and the error tells how to export them.
func TestOtherForms(t *testing.T) {
	const keras = `export it as a SavedModel: keras.saving.load_model("my.%s").export("FOLDER")`
	root := folders(t, "keras/my.keras", "keras/assets/", "h5/my.h5", "models/a/my.hdf5", "models/b/2/my.keras", "text/saved_model.pbtxt", "text/variables/")
	for _, c := range []struct{ path, reason, want string }{
		{"keras", "NO_MODELS", fmt.Sprintf(keras, "keras")},
		{"keras/my.keras", "NOT_A_FOLDER", fmt.Sprintf(keras, "keras")},
		{"h5/my.h5", "NOT_A_FOLDER", fmt.Sprintf(keras, "h5")},
		{"h5", "NO_MODELS", fmt.Sprintf(keras, "h5")},
		{"text", "NO_MODELS", `tf.saved_model.load("DIR")`},
		{"text/saved_model.pbtxt", "NOT_A_FOLDER", `tf.saved_model.load("DIR")`},
	} {
		if _, err := Scan(filepath.Join(root, c.path)); reason(err) != c.reason || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %s", c.path, err, c.reason, c.want)
		}
	}
	for _, c := range []struct{ path, reason, want string }{
		{"models/a", "NO_VERSION", fmt.Sprintf(keras, "hdf5")},
		{"models/b", "NO_SAVED_MODEL", fmt.Sprintf(keras, "keras")},
	} {
		if _, err := latest(filepath.Join(root, c.path)); reason(err) != c.reason || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s with %s", c.path, err, c.reason, c.want)
		}
	}
}
