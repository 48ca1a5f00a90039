package explaind

import "sync"

// ModelRef names the version of a model that answers.
type ModelRef struct {
	Name    string
	Version int64
	Digest  string // hex, as Spec.Digest
}

// ModelState is where a version of a model stands.
type ModelState int

// The states.
const (
	ModelLoading ModelState = iota + 1
	ModelReady
	ModelFailed
	ModelUnloading // answers those who use it already, and nobody else
	ModelUnloaded  // on disk, and not wanted
)

func (s ModelState) String() string {
	switch s {
	case ModelLoading:
		return "LOADING"
	case ModelReady:
		return "READY"
	case ModelFailed:
		return "FAILED"
	case ModelUnloading:
		return "UNLOADING"
	case ModelUnloaded:
		return "UNLOADED"
	default:
		return "UNKNOWN"
	}
}

// VersionStatus is one version of a model.
type VersionStatus struct {
	Version int64 // 0 when the model's folder holds no version at all
	State   ModelState
	Digest  string   // empty unless ready
	Err     error    // why it failed
	Labels  []string // names that an operator gave to the version, in order
}

// ModelStatus is one model with its versions, the latest last.
type ModelStatus struct {
	Name     string
	Versions []VersionStatus
}

// Ready tells whether a version of the model can answer.
func (s ModelStatus) Ready() bool {
	for _, v := range s.Versions {
		if v.State == ModelReady {
			return true
		}
	}
	return false
}

// Handle is a model in use: it stays open until Release. Release may be called more than once and by any goroutine;
// the model must not be used afterwards.
type Handle struct {
	Model Model
	Ref   ModelRef

	once    sync.Once
	release func()
}

// NewHandle makes a handle whose first Release calls release.
func NewHandle(m Model, ref ModelRef, release func()) *Handle {
	return &Handle{Model: m, Ref: ref, release: release}
}

// Release says that the model is no longer used through this handle.
func (h *Handle) Release() { h.once.Do(h.release) }
