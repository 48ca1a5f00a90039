package repository

import (
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
	if version < 0 {
		return nil, explaind.FieldError("version", "BAD_VERSION", "version %d is negative; give a version of the model, or 0 for the latest", version)
	}
	if version != 0 && label != "" {
		return nil, explaind.FieldError("version_label", "VERSION_AND_LABEL", "version %d and version_label %q exclude each other; give one of them", version, label)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		e := explaind.Errorf(explaind.Unavailable, "SERVER_DRAINING", "the server is stopping; ask another one")
		e.RetryAfter = retryLoading
		return nil, e
	}
	e, err := r.find(name)
	if err != nil {
		return nil, err
	}
	if label != "" {
		// Labels are given by an administration service; without one, no version has any.
		return nil, explaind.AtField(explaind.NotFoundError("version_label", label, nil), "version_label")
	}
	if version == 0 && len(e.serving) > 0 {
		version = slices.Max(slices.Collect(maps.Keys(e.serving)))
	}
	if c, found := e.serving[version]; found {
		if h := c.acquire(); h != nil {
			return h, nil
		}
	}
	return nil, e.unavailable(version)
}

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

// unavailable tells why a version does not serve.
func (e *entry) unavailable(version int64) error {
	last := e.status[len(e.status)-1]
	served := make([]string, 0, len(e.status))
	for _, s := range e.status {
		if s.Version == version {
			last = s
		}
		served = append(served, strconv.FormatInt(s.Version, 10))
	}
	if version != 0 && last.Version != version {
		known := explaind.NotFoundError("version", strconv.FormatInt(version, 10), served)
		known.Message = "model \"" + e.source.Name + "\": " + known.Message
		return explaind.AtField(known, "version")
	}
	if last.State == explaind.ModelFailed {
		why := explaind.AsError(last.Err)
		failed := explaind.Errorf(explaind.FailedPrecondition, "MODEL_FAILED",
			"model %q could not be loaded: %s; repair its folder and start the server again", e.source.Name, why.Error())
		failed.Metadata = map[string]string{"model": e.source.Name, "cause": why.Reason}
		failed.Err = last.Err
		return failed
	}
	loading := explaind.Errorf(explaind.Unavailable, "MODEL_LOADING", "model %q is still loading; try again in a moment", e.source.Name)
	loading.RetryAfter = retryLoading
	loading.Metadata = map[string]string{"model": e.source.Name}
	return loading
}
