package repository

import (
	"maps"
	"slices"
	"time"

	"github.com/explaind/explaind"
)

// entry is one model. Its fields are guarded by the repository's mu, but for those that never change.
type entry struct {
	name, dir string
	root      *root // that it was found in, nil for one that was named
	policy    Policy
	unusable  error // of its name, which no client could type

	versions map[int64]*version
	serving  map[int64]*counted // those of versions that are in service
	left     []*counted         // those that left it, to be retired
	labels   map[string]int64
	empty    error     // why there is no version in its folder
	emptied  stillness // of a folder without versions

	// What operators asked for.
	off      bool           // nothing of it is to be loaded
	unloaded map[int64]bool // versions that are not to be loaded
	asked    map[int64]bool // versions that are loaded although the policy leaves them out

	gone      bool      // its folder has left its root
	goneSince time.Time // zero while the folder is there

	plan plan
	told explaind.ModelStatus // what the listeners know

	complaint string // that the log has of its folder
}

// version is one version of a model, on disk, in memory, or both.
type version struct {
	number int64
	dir    string

	present   bool // on disk
	goneSince time.Time
	print     uint64
	still     stillness
	bad       error // why its folder holds no SavedModel

	tried    uint64 // the files that err tells of
	err      error  // of the last attempt to load them
	attempts int
	retryAt  time.Time

	forced  bool // an operator waits for it: the files are taken as they are
	waiters []chan<- error

	serving  *counted
	loaded   uint64 // the files that serve
	draining int    // open models of it that only finish what they have

	state  explaind.ModelState
	reason error
	wanted bool

	complaint string // that the log has of it
}

// stillness tells since when files have not changed.
type stillness struct {
	since    time.Time // they were first seen as they are
	newest   time.Time // the time that stands on the newest of them
	restless time.Time // since when they were never seen still
	still    bool      // as of the last look
}

// changed begins the watch anew.
func (s *stillness) changed(now, newest time.Time) {
	if s.still || s.restless.IsZero() {
		s.restless = now
	}
	s.since, s.newest, s.still = now, newest, false
}

// reached tells whether the files have been still for d: they were watched that long, or all of them are older than that, as
// those of a folder that was renamed into its place.
func (s *stillness) reached(now time.Time, d time.Duration) bool {
	return now.Sub(s.since) >= d || now.Sub(s.newest) >= d
}

func newEntry(name, dir string) *entry {
	return &entry{
		name: name, dir: dir, unusable: CheckName(name),
		versions: map[int64]*version{}, serving: map[int64]*counted{}, labels: map[string]int64{},
		unloaded: map[int64]bool{}, asked: map[int64]bool{},
		plan: plan{state: explaind.ModelLoading}, // until it was looked at
	}
}

// sorted lists the versions, the latest last.
func (e *entry) sorted() []*version {
	list := make([]*version, 0, len(e.versions))
	for _, number := range slices.Sorted(maps.Keys(e.versions)) {
		list = append(list, e.versions[number])
	}
	return list
}

// labelsOf are the names of a version, in order.
func (e *entry) labelsOf(number int64) []string {
	var labels []string
	for label, v := range e.labels {
		if v == number {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return labels
}

// snapshot is the model as the last plan left it.
func (e *entry) snapshot() explaind.ModelStatus {
	s := explaind.ModelStatus{Name: e.name}
	for _, v := range e.sorted() {
		status := explaind.VersionStatus{Version: v.number, State: v.state, Err: v.reason, Labels: e.labelsOf(v.number)}
		if v.serving != nil {
			status.Digest = v.serving.ref.Digest
		}
		s.Versions = append(s.Versions, status)
	}
	if len(s.Versions) == 0 {
		s.Versions = []explaind.VersionStatus{{State: e.plan.state, Err: e.plan.reason}}
	}
	return s
}

// idle tells that nothing of the model is in memory.
func (e *entry) idle() bool {
	return !slices.ContainsFunc(e.sorted(), func(v *version) bool { return v.serving != nil || v.draining > 0 })
}
