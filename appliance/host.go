package appliance

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// hostMemory is the memory of the host in bytes, or of the container that the
// daemon runs in where that is less.
func hostMemory() (int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read the host's memory: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(s.Text(), "MemTotal: %d kB", &kib); n == 1 {
			return min(kib<<10, groupMemory()), nil
		}
	}
	return 0, fmt.Errorf("read the host's memory: no MemTotal in /proc/meminfo")
}

// groupMemory is the limit of the control group that holds the daemon, if any.
func groupMemory() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var limit int64
		if _, err := fmt.Sscan(strings.TrimSpace(string(b)), &limit); err == nil && limit > 0 {
			return limit
		}
	}
	return 1 << 62
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
