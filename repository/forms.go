package repository

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/explaind/explaind"
)

// wayOut tells how a file that holds a model in another form becomes a SavedModel, by its name; "" for other files.
func wayOut(file string) string {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".keras", ".h5", ".hdf5":
		return fmt.Sprintf("%s is a file of Keras; export it as a SavedModel: keras.saving.load_model(%[1]q).export(\"FOLDER\")", file)
	}
	if file == savedModel+"txt" {
		return file + ` is a SavedModel as text, which is not read; write it in binary form: ` +
			`m = tf.saved_model.load("DIR"); tf.saved_model.save(m, "FOLDER", signatures=m.signatures)`
	}
	return ""
}

// otherForm is the way out for the first file in the folder that holds a model in another form; "" if none does.
func otherForm(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if way := wayOut(e.Name()); way != "" && !e.IsDir() {
			return way
		}
	}
	return ""
}

// withOtherForm adds the way out to an error about the folder.
func withOtherForm(e *explaind.Error, dir string) *explaind.Error {
	if way := otherForm(dir); way != "" {
		e.Message += "; " + way
	}
	return e
}
