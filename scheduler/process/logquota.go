package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// logQuota keeps the log files of a process within a limit: what is oldest
// makes room. The child goes on writing at the end and notices nothing, since
// the files keep their sizes and only lose their blocks. On a file system that
// cannot do that, nothing is dropped.
type logQuota struct {
	limit   int64 // bytes of each file, 0 for none
	dropped ml.LogDrop
	failed  bool
}

// hole is what the places of holes are multiples of: the blocks of common file
// systems.
const hole = 64 << 10

// keep drops what is too much of the files, and leaves half of the limit.
func (q *logQuota) keep(m *marker) {
	if q.limit == 0 || q.failed {
		return
	}
	for _, f := range []struct {
		file    *os.File
		size    int64
		dropped *int64
	}{{m.stdout, m.last.Stdout, &q.dropped.Stdout}, {m.stderr, m.last.Stderr, &q.dropped.Stderr}} {
		if f.size-*f.dropped <= q.limit {
			continue
		}
		to := (f.size - q.limit/2) / hole * hole
		if err := q.drop(m.dir, f.file, f.dropped, to); err != nil {
			fmt.Fprintln(os.Stderr, "hearth task: keep the log within its limit:", err)
			q.failed = true
		}
	}
}

// drop frees a file up to an offset. Readers are told before anything is gone.
func (q *logQuota) drop(dir string, f *os.File, dropped *int64, to int64) error {
	from := *dropped
	*dropped = to
	if err := writeJSON(dir, ml.FileLogDrop, q.dropped, surviveKill); err != nil {
		return err
	}
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
}
