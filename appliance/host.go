package appliance

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// hostMemory is the memory of the host in bytes, or of the container that the
// daemon runs in where that is less.
func hostMemory() (int64, error) {
	total, err := memInfo("MemTotal")
	return min(total, groupMemory()), err
}

// freeMemory is what new processes may take of the host's memory, in bytes, or of that
// of the container that the daemon runs in where that is less.
func freeMemory() (int64, error) {
	free, err := memInfo("MemAvailable")
	if err != nil {
		return 0, err
	}
	return min(free, groupFree()), nil
}

// memInfo reads a line of /proc/meminfo, in bytes.
func memInfo(name string) (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read the host's memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, name+": %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("read the host's memory: no %s in /proc/meminfo", name)
}

// groupMemory is the limit of the control group that holds the daemon, if any.
func groupMemory() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, ok := readNumber(path); ok && limit > 0 {
			return limit
		}
	}
	return unlimited
}

const unlimited = 1 << 62

// groupFree is what is left of that limit, beside the files that the kernel keeps in
// memory and would give up.
func groupFree() int64 {
	for _, g := range []struct{ limit, used, detail, files string }{
		{"memory.max", "memory.current", "memory.stat", "inactive_file"},
		{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"},
	} {
		const root = "/sys/fs/cgroup/"
		limit, ok := readNumber(root + g.limit)
		used, known := readNumber(root + g.used)
		if !ok || !known || limit <= 0 {
			continue
		}
		return limit - used + statOf(root+g.detail, g.files)
	}
	return unlimited
}

// readNumber reads a file that holds a number and nothing else.
func readNumber(path string) (n int64, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	_, err = fmt.Sscan(strings.TrimSpace(string(b)), &n)
	return n, err == nil
}

// statOf reads one line of a control group's statistics, 0 if it is not there.
func statOf(path, name string) (n int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if _, err := fmt.Sscan(rest, &n); err == nil {
				return n
			}
		}
	}
	return 0
}

// diskSpace gives the size of the file system below dir and what is free on it
// for this process, in bytes.
func diskSpace(dir string) (total, free int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("ask the free space of %s: %w", dir, err)
	}
	return int64(s.Blocks) * s.Bsize, int64(s.Bavail) * s.Bsize, nil
}
