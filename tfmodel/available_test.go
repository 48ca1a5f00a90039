package tfmodel

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/explaind/explaind"
)

func TestAvailableMemory(t *testing.T) {
	const meminfo = "MemTotal:       24000 kB\nMemFree:  100 kB\nMemAvailable:    9000 kB\n"
	for what, c := range map[string]struct {
		files map[string]string
		want  int64
		known bool
	}{
		"nothing is told": {nil, math.MaxInt64, false},
		"no groups":       {map[string]string{"proc/meminfo": meminfo}, 9000 << 10, true},
		"second version, without a limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "77\n",
		}, 9000 << 10, true},
		"second version, a limit above": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max": "5000\n", "sys/fs/cgroup/a/memory.current": "3000\n", "sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 400\n",
			"sys/fs/cgroup/a/b/memory.max": "6000\n", "sys/fs/cgroup/a/b/memory.current": "1000\n",
		}, 2400, true},
		"a container's own root": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/not/seen\n", "sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "3000\n",
		}, 2000, true},
		"used up": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "7000\n",
		}, 0, true},
		"first version": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "9:cpu,cpuacct:/c\n5:memory:/a\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "5000", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "3000", "sys/fs/cgroup/memory/a/memory.stat": "total_inactive_file 100\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712", "sys/fs/cgroup/memory/memory.usage_in_bytes": "3000",
		}, 2100, true},
		"only a group": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "3000\n",
		}, 2000, true},
		"nonsense": {map[string]string{"proc/meminfo": "MemAvailable: much\n", "proc/self/cgroup": "0::\nx\n:::\n"}, math.MaxInt64, false},
	} {
		system := fstest.MapFS{}
		for name, text := range c.files {
			system[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, known := availableMemory(system); got != c.want || known != c.known {
			t.Errorf("%s: %d, %v; want %d, %v", what, got, known, c.want, c.known)
		}
	}
}

func TestCheckMemory(t *testing.T) {
	const exabyte = 1 << 60
	err := options{}.checkMemory("loading", exabyte)
	e := explaind.AsError(err)
	if e.Code != explaind.FailedPrecondition || e.Reason != "NOT_ENOUGH_MEMORY" || !strings.Contains(e.Message, "1152921504606 MB") || !strings.Contains(e.Message, "MB are available") {
		t.Errorf("got %v", err)
	}
	if err := (options{anyMemory: true}).checkMemory("loading", exabyte); err != nil {
		t.Error(err)
	}
	if err := (options{}).checkMemory("loading", 1); err != nil {
		t.Error(err)
	}
}
