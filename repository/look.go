package repository

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/explaind/explaind"
)

// root is a folder that holds models. Only the goroutine that looks uses it.
type root struct {
	dir     string
	itself  bool     // it is a model; then its entry is looked at, as one that was named is
	names   []string // of the models that were found in it
	trouble string   // that the log has
	twice   map[string]bool
}

// look compares the disk with what is known of it. With a name, only that model is looked at.
func (r *Repository) look(name string) {
	for _, root := range r.roots {
		if err := r.lookAt(root, name); err != nil && !root.twice[err.Error()] {
			if root.twice == nil {
				root.twice = map[string]bool{}
			}
			root.twice[err.Error()] = true
			r.log.Error("a model cannot be added", "error", err)
		}
	}
	r.lookAtModels(name)
}

// lookAt finds the models in a root. The error is that of a name that another folder has.
func (r *Repository) lookAt(root *root, only string) (err error) {
	if root.itself {
		return nil
	}
	if len(root.names) == 0 {
		if itself, err := versions(root.dir); err == nil && len(itself) > 0 {
			name, err := folderName(root.dir)
			if err != nil || only != "" && name != only {
				return err
			}
			root.itself = true
			return r.add(root, name, root.dir)
		}
	}
	names, err := r.folders(root)
	if err != nil {
		// A disk that is not there now tells nothing about its models: all of them serve on.
		r.troubled(root, explaind.AsError(err).Message)
		return nil
	}
	r.troubled(root, "")
	var twice error
	for _, name := range names {
		if only == "" || name == only {
			if err := r.add(root, name, filepath.Join(root.dir, name)); err != nil {
				twice = err
			}
		}
	}
	if only == "" {
		r.miss(root, names)
	}
	return twice
}

// folders lists the model folders in a root; among them links that lead nowhere at the moment, if their model is known. That
// there is none at all is an error.
func (r *Repository) folders(root *root) ([]string, error) {
	names, err := children(root.dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !slices.Contains(root.names, name) && !isFolder(filepath.Join(root.dir, name))
	})
	if len(names) == 0 {
		return nil, explaind.Errorf(explaind.FailedPrecondition, "NO_MODELS", "the folder %s holds no models", root.dir)
	}
	return names, nil
}

// troubled logs what is wrong with a root, once, and when it is over.
func (r *Repository) troubled(root *root, trouble string) {
	if trouble == root.trouble {
		return
	}
	root.trouble = trouble
	switch {
	case trouble == "":
		r.log.Info("the folder of models is there again", "folder", root.dir)
	case len(root.names) == 0:
		r.log.Warn("waiting for models to appear in their folder", "folder", root.dir, "reason", trouble)
	default:
		r.log.Warn("models that are loaded go on serving without their folder", "folder", root.dir, "reason", trouble)
	}
}

// add makes an entry of a folder, or notes that the folder is back.
func (r *Repository) add(root *root, name, dir string) error {
	r.mu.Lock()
	e := r.entries[name]
	if e == nil {
		e = r.configured(newEntry(name, dir))
		e.root = root
		r.entries[name] = e
	}
	r.mu.Unlock()
	if e.root != root {
		return duplicate(name, e.dir, dir)
	}
	if !slices.Contains(root.names, name) {
		root.names = append(root.names, name)
	}
	return nil
}

// miss notes which models' folders have left the root. They are unloaded when they have been away for as long as files have to
// be still: a folder that is replaced by renaming is away for a moment.
func (r *Repository) miss(root *root, there []string) {
	root.names = slices.DeleteFunc(root.names, func(name string) bool {
		e := r.entry(name)
		if e == nil {
			return true
		}
		missing := !slices.Contains(there, name)
		r.update(e, func() {
			now := r.now()
			switch {
			case !missing:
				e.gone, e.goneSince = false, time.Time{}
			case e.goneSince.IsZero():
				e.goneSince = now
			}
			e.gone = missing && now.Sub(e.goneSince) >= r.settle()
		})
		return missing && r.entry(name) == nil
	})
}

func (r *Repository) entry(name string) *entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.entries[name]
}

// lookAtModels looks into the folders of the models. The disk may hang, so mu is not held meanwhile.
func (r *Repository) lookAtModels(only string) {
	for _, e := range r.known() {
		if only != "" && e.name != only {
			continue
		}
		s := r.inspect(e)
		r.update(e, func() { r.observe(e, s) })
	}
}

func (r *Repository) known() []*entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*entry, 0, len(r.entries))
	for _, e := range r.entries {
		list = append(list, e)
	}
	return list
}

// sight is what was seen of one version.
type sight struct {
	versionFolder

	looked bool // into its folder
	print  uint64
	newest time.Time
	bad    error
}

// view is what was seen of a model's folder.
type view struct {
	versions   []sight
	unreadable error     // then nothing is known of the versions
	empty      error     // why there is none
	modified   time.Time // of a folder without any; zero if that cannot be told
}

// inspect reads a model's folder. Versions that are known and not wanted are not looked into.
func (r *Repository) inspect(e *entry) (s view) {
	found, err := versions(e.dir)
	if err != nil {
		s.unreadable = err
		return s
	}
	if len(found) == 0 {
		s.empty = noVersion(e.dir)
		if info, err := os.Stat(e.dir); err == nil {
			s.modified = info.ModTime()
		}
		return s
	}
	s.versions = make([]sight, len(found))
	for i, f := range found {
		v := sight{versionFolder: f}
		if v.looked = r.needed(e, f.number); v.looked {
			v.print, v.newest = fingerprint(f.dir)
			if v.bad = e.unusable; v.bad == nil {
				v.bad = f.check()
			}
		}
		s.versions[i] = v
	}
	return s
}

func (r *Repository) needed(e *entry, number int64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v := e.versions[number]
	return v == nil || v.wanted || v.serving != nil
}

// observe takes in what was seen of a model's folder. Under mu.
func (r *Repository) observe(e *entry, seen view) {
	now := r.now()
	empty := seen.empty
	if seen.unreadable != nil {
		empty = seen.unreadable
	}
	if empty != nil && e.empty == nil {
		e.emptied.changed(now, seen.modified)
	}
	if e.empty = empty; seen.unreadable != nil {
		return
	}
	there := map[int64]bool{}
	for _, s := range seen.versions {
		there[s.number] = true
		v := e.versions[s.number]
		if v == nil {
			v = &version{number: s.number}
			e.versions[s.number] = v
			if e.off {
				e.unloaded[s.number] = true
			}
		}
		v.observe(s, now, r.settle())
	}
	for _, v := range e.versions {
		if v.present && !there[v.number] {
			v.present, v.goneSince = false, now
			if v.serving != nil {
				r.log.Warn("the folder of a version that serves is gone; it serves until another version does", "model", e.name, "version", v.number)
			}
		}
	}
}

func (v *version) observe(s sight, now time.Time, settle time.Duration) {
	first := !v.present && v.serving == nil
	v.present, v.dir = true, s.dir
	if !s.looked {
		return
	}
	if first || v.print != s.print {
		v.still.changed(now, s.newest)
	}
	v.still.still = v.still.reached(now, settle)
	v.print, v.bad = s.print, s.bad
}
