// Package savedmodel reads SavedModel folders without TensorFlow: the graph, its signatures, its digest and the files
// beside it.
package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/explaind/explaind"
)

// ServeTag marks the graph that is meant for serving.
const ServeTag = "serve"

const modelFile = "saved_model.pb"

// maxModelBytes is what a message of Protocol Buffers may have. A larger file is not read to find that out.
const maxModelBytes = 1<<31 - 1

// Read reads the graph with the serving tag from a SavedModel folder, and returns the tags that it has.
func Read(dir string) (*corepb.MetaGraphDef, []string, error) {
	model, err := parse(dir)
	if err != nil {
		return nil, nil, err
	}
	var found []string
	for _, g := range model.MetaGraphs {
		tags := g.GetMetaInfoDef().GetTags()
		if slices.Contains(tags, ServeTag) && !slices.ContainsFunc(tags, func(t string) bool { return t == "gpu" || t == "tpu" }) {
			return g, tags, nil
		}
		found = append(found, "["+strings.Join(tags, ", ")+"]")
	}
	return nil, nil, explaind.Errorf(explaind.FailedPrecondition, "WRONG_TAG",
		"the SavedModel has no graph with the tag %q, only %s; export it for serving", ServeTag, strings.Join(found, ", "))
}

// Exists makes sure that the folder holds a SavedModel.
func Exists(dir string) error {
	info, err := os.Stat(filepath.Join(dir, modelFile))
	switch {
	case err == nil && info.Mode().IsRegular() && info.Size() > maxModelBytes:
		return explaind.Errorf(explaind.FailedPrecondition, "CORRUPT", "saved_model.pb has %d bytes, and Protocol Buffers end at 2 GiB: copy it again", info.Size())
	case err == nil && info.Mode().IsRegular():
		return nil
	case err == nil:
		return explaind.Errorf(explaind.FailedPrecondition, "UNREADABLE", "saved_model.pb is not a file; copy the SavedModel again")
	case !errors.Is(err, fs.ErrNotExist):
		return unreadable(modelFile, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "saved_model.pbtxt")); err == nil {
		return explaind.Errorf(explaind.FailedPrecondition, "NOT_A_SAVED_MODEL", "the folder has saved_model.pbtxt; only the binary saved_model.pb is read: export the model again")
	}
	return explaind.Errorf(explaind.FailedPrecondition, "NOT_A_SAVED_MODEL", "the folder has no saved_model.pb; give the folder that holds it")
}

// unreadable is the error of a file that the system does not hand out. The message has the file's name in the
// SavedModel, not where that lies.
func unreadable(name string, err error) error {
	why := err.Error()
	if system := new(fs.PathError); errors.As(err, &system) {
		why = system.Err.Error()
	}
	e := explaind.Errorf(explaind.FailedPrecondition, "UNREADABLE", "%s cannot be read: %s; check the rights of the server on the model's files", name, why)
	e.Err = err
	return e
}

func parse(dir string) (*corepb.SavedModel, error) {
	if err := Exists(dir); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, modelFile))
	if err != nil {
		return nil, unreadable(modelFile, err)
	}
	model := new(corepb.SavedModel)
	if err := proto.Unmarshal(data, model); err != nil {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "CORRUPT", "saved_model.pb is damaged (%d bytes): copy it again: %w", len(data), err)
	}
	if len(model.MetaGraphs) == 0 {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "CORRUPT", "saved_model.pb holds no graph (%d bytes): copy it again", len(data))
	}
	return model, nil
}

// CheckVariables tells whether the files of the model's weights are there, as far as file names and sizes show it.
func CheckVariables(dir string) error {
	index := filepath.Join(dir, "variables", "variables.index")
	if info, err := os.Stat(index); err != nil || info.Size() == 0 {
		return explaind.Errorf(explaind.FailedPrecondition, "VARIABLES_MISSING",
			"the model has variables, but variables/variables.index is missing or empty: copy the whole folder of the SavedModel")
	}
	shards, _ := filepath.Glob(filepath.Join(dir, "variables", "variables.data-*"))
	if len(shards) == 0 {
		return explaind.Errorf(explaind.FailedPrecondition, "VARIABLES_MISSING",
			"the model has variables, but variables/variables.data-… is missing: copy the whole folder of the SavedModel")
	}
	return nil
}

// Signature chooses a signature: the one that is named, else serving_default, else the only one.
func Signature(g *corepb.MetaGraphDef, name string) (string, *corepb.SignatureDef, error) {
	var names []string
	for n, s := range g.SignatureDef {
		if n != "__saved_model_init_op" && n != "__saved_model_train_op" && len(s.Outputs) > 0 {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	switch {
	case name != "":
	case slices.Contains(names, "serving_default"):
		name = "serving_default"
	case len(names) == 1:
		name = names[0]
	case len(names) == 0:
		return "", nil, explaind.Errorf(explaind.FailedPrecondition, "NO_SIGNATURE",
			"the SavedModel has no signature; export it with model.export or tf.saved_model.save(…, signatures=…)")
	default:
		return "", nil, explaind.Errorf(explaind.FailedPrecondition, "AMBIGUOUS_SIGNATURE",
			"the SavedModel has no signature serving_default but %s; choose one as `signature:` in explaind.yaml", strings.Join(names, ", "))
	}
	if !slices.Contains(names, name) {
		return "", nil, explaind.Errorf(explaind.FailedPrecondition, "SIGNATURE_NOT_FOUND",
			"the SavedModel has no signature %q but %s; correct `signature:` in explaind.yaml", name, strings.Join(names, ", "))
	}
	return name, g.SignatureDef[name], nil
}

// TensorName is the node:index of a signature's tensor.
func TensorName(key string, info *corepb.TensorInfo) (string, error) {
	if name := info.GetName(); name != "" {
		return name, nil
	}
	return "", fmt.Errorf("the signature's tensor %q is not a plain tensor (%T)", key, info.GetEncoding())
}
