package repository

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/explaind/explaind"
)

// retryLoading is what callers of a model that is still loading are told to wait.
const retryLoading = 2 * time.Second

// Acquire returns a handle to a model, which the caller must release. The empty name means the only model there is,
// version 0 the latest. A label is a name that an operator gave to a version.
//
// Errors: InvalidArgument when no name is given and there are several models, or both version and label are; NotFound
// for a model, version or label that is not there, with the nearest names; Unavailable while the model loads or the
// server stops; FailedPrecondition when the model could not be loaded, with the reason.
func (r *Repository) Acquire(name string, version int64, label string) (*explaind.Handle, error) {
	if err := checkVersion(version); err != nil {
		return nil, err
	}
	if version != 0 && label != "" {
		return nil, explaind.FieldError("version_label", "VERSION_AND_LABEL", "version %d and version_label %q exclude each other; give one of them", version, label)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return nil, stopping()
	}
	e, err := r.find(name)
	if err != nil {
		return nil, err
	}
	if label != "" {
		named, found := e.labels[label]
		if !found {
			return nil, explaind.AtField(explaind.NotFoundError("version_label", label, slices.Sorted(maps.Keys(e.labels))), "version_label")
		}
		version = named
	}
	if version == 0 {
		for number := range e.serving {
			version = max(version, number)
		}
	}
	if c, found := e.serving[version]; found {
		if h := c.acquire(); h != nil {
			return h, nil
		}
	}
	if label != "" {
		return nil, explaind.AtField(r.unavailable(e, version), "version_label")
	}
	return nil, r.unavailable(e, version)
}

func checkVersion(version int64) error {
	if version < 0 {
		return explaind.FieldError("version", "BAD_VERSION", "version %d is negative; give a version of the model, or 0 for the latest", version)
	}
	return nil
}

// stopping tells that the server takes nothing on any more.
func stopping() error {
	e := explaind.Errorf(explaind.Unavailable, "SERVER_DRAINING", "the server is stopping; ask another one")
	e.RetryAfter = retryLoading
	return e
}

// find returns a model. Under mu.
func (r *Repository) find(name string) (*entry, error) {
	known := slices.Sorted(maps.Keys(r.entries))
	if name == "" {
		switch len(known) {
		case 1:
			return r.entries[known[0]], nil
		case 0:
			return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS", "the server has no models")
		default:
			return nil, explaind.FieldError("model", "MODEL_REQUIRED", "no model is named and the server has %d; name one of: %s", len(known), strings.Join(known, ", "))
		}
	}
	if e, found := r.entries[name]; found {
		return e, nil
	}
	return nil, explaind.AtField(explaind.NotFoundError("model", name, known), "model")
}

// unavailable tells why a version does not serve; version 0 is any of the model.
func (r *Repository) unavailable(e *entry, version int64) error {
	status := e.snapshot()
	what := fmt.Sprintf("model %q", e.name)
	s := telling(status)
	if version != 0 {
		i := slices.IndexFunc(status.Versions, func(s explaind.VersionStatus) bool { return s.Version == version })
		if i < 0 {
			return e.unknown(version)
		}
		s = status.Versions[i]
		if len(status.Versions) > 1 {
			what = fmt.Sprintf("version %d of model %q", version, e.name)
		}
	}
	switch s.State {
	case explaind.ModelFailed:
		return r.failed(e, s.Err)
	case explaind.ModelUnloading, explaind.ModelUnloaded:
		way := "ask the server's operators to load it"
		if serving := e.served(); serving != "none" {
			way = "ask for one that is: " + serving
		}
		unloaded := explaind.Errorf(explaind.FailedPrecondition, "MODEL_UNLOADED", "%s is not loaded; %s", what, way)
		unloaded.Metadata = map[string]string{"model": e.name}
		return unloaded
	default:
		loading := explaind.Errorf(explaind.Unavailable, "MODEL_LOADING", "%s is still loading; try again in a moment", what)
		loading.RetryAfter = retryLoading
		loading.Metadata = map[string]string{"model": e.name}
		return loading
	}
}

// telling is the version that tells most about a model none of whose versions serves: one that may serve soon, else the latest
// that failed, else the latest.
func telling(s explaind.ModelStatus) explaind.VersionStatus {
	for _, state := range []explaind.ModelState{explaind.ModelLoading, explaind.ModelFailed} {
		for _, v := range slices.Backward(s.Versions) {
			if v.State == state {
				return v
			}
		}
	}
	return s.Versions[len(s.Versions)-1]
}

// failed is the error of a version that cannot be loaded.
func (r *Repository) failed(e *entry, cause error) error {
	why := explaind.AsError(cause)
	way := "it is tried again from time to time, and when its folder is repaired"
	if r.poll == 0 {
		way = "repair its folder and load it again"
	}
	failed := explaind.Errorf(explaind.FailedPrecondition, "MODEL_FAILED", "model %q could not be loaded: %s; %s", e.name, why.Error(), way)
	failed.Metadata = map[string]string{"model": e.name, "cause": why.Reason}
	failed.Err = cause
	return failed
}

// unknown is the error of a version that is not there.
func (e *entry) unknown(version int64) error {
	var known []string
	for _, v := range e.sorted() {
		known = append(known, numbered(v.number))
	}
	err := explaind.NotFoundError("version", numbered(version), known)
	err.Message = fmt.Sprintf("model %q: %s", e.name, err.Message)
	return explaind.AtField(err, "version")
}

func numbered(version int64) string { return strconv.FormatInt(version, 10) }
