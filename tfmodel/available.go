package tfmodel

import (
	"bufio"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/explaind/explaind"
)

// What a model takes at its peak, in bytes and as multiples of the size of its files: see RATIONALE "How is a model's memory
// estimated?".
const (
	anyModel        = 100_000_000
	compileFactor   = 2  // of the SavedModel
	constantsFactor = 18 // of the optimised graph, which a load optimises twice
)

// memory is the estimate for loading a stored model.
func (s sizes) memory() int64 { return anyModel + constantsFactor*s.optimised + s.weights }

// checkMemory refuses what is estimated to need more memory than there is: the system would end the process, with all
// models that serve.
func (o options) checkMemory(doing string, need int64) error {
	there, known := availableMemory(os.DirFS("/"))
	if o.anyMemory || !known || need <= there {
		return nil
	}
	return explaind.Errorf(explaind.FailedPrecondition, "NOT_ENOUGH_MEMORY",
		"%s the model is estimated to need %d MB of memory, and %d MB are available; give the process more, or serve fewer models",
		doing, need/1e6, there/1e6)
}

// availableMemory is how many bytes the process may still take: what the system has, and what the limits of its control
// groups leave. It is not known where the system does not tell.
func availableMemory(system fs.FS) (bytes int64, known bool) {
	bytes = math.MaxInt64
	if kB, ok := field(system, "proc/meminfo", "MemAvailable:"); ok {
		bytes, known = kB*1024, true
	}
	groups, _ := fs.ReadFile(system, "proc/self/cgroup") // without groups there is no limit
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		files := groupFiles{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"}
		if parts[1] != "" { // of the first version, which has a tree for each controller
			files = groupFiles{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
		}
		// Inside a container, the process' own group may be the root of what is seen.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if left, limited := files.left(system, group); limited {
				bytes, known = min(bytes, left), true
			}
			if group == "/" {
				break
			}
		}
	}
	return max(bytes, 0), known
}

// groupFiles are the names under which a version of control groups tells about memory.
type groupFiles struct {
	root, limit, usage string
	cache              string // the line of memory.stat with what the system can take back from the files' cache
}

// left is how many bytes a group may still take; not limited if it has no limit.
func (f groupFiles) left(system fs.FS, group string) (bytes int64, limited bool) {
	folder := path.Join(f.root, group)
	limit, limited := number(system, path.Join(folder, f.limit))
	usage, known := number(system, path.Join(folder, f.usage))
	if !limited || !known {
		return 0, false
	}
	cache, _ := field(system, path.Join(folder, "memory.stat"), f.cache) // none, if it is not told
	return limit - max(usage-cache, 0), true
}

// number reads a file of one number; "max" is none.
func number(system fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(system, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// field reads the number behind a word at the beginning of a line.
func field(system fs.FS, name, word string) (int64, bool) {
	f, err := system.Open(name)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == word {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
