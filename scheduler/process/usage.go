package process

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

const (
	// usageEvery is how often a tree's usage is noted at first; when there are
	// maxUsage records, every other one goes and the interval doubles, so that
	// the curve of a long job keeps its shape and the file its size.
	usageEvery = time.Second
	maxUsage   = 4096
	// diskBackoff keeps the measuring of files to a 20th of the time.
	diskEvery   = 2 * time.Second
	diskBackoff = 20
)

// usage notes in usage.log what a tree uses.
type usage struct {
	tree  tree
	dir   string // of the process
	own   string // of the tree's files, empty if they are not bounded
	every time.Duration
	count int
	due   time.Time // for the next record
	// disk is the last measurement of own, which is due again at diskDue.
	disk    int64
	diskDue time.Time
}

func newUsage(t tree, dir string, p ml.Process) *usage {
	u := &usage{tree: t, dir: dir, every: usageEvery, disk: -1}
	if p.Limits.DiskBytes > 0 {
		u.own = p.Scratch
	}
	return u
}

// sample measures, and notes what it has measured when that is due or the last
// time.
func (u *usage) sample(last bool) ml.UsageSample {
	now := time.Now()
	s := ml.UsageSample{Time: now, CPU: childrenTime(), Disk: -1}
	for _, pid := range u.tree.quickMembers() {
		s.Memory += residentSize(pid)
		s.CPU += processTime(pid)
	}
	if u.own != "" && !now.Before(u.diskDue) {
		u.disk = diskUsage(u.own)
		u.diskDue = time.Now().Add(max(diskEvery, diskBackoff*time.Since(now)))
	}
	s.Disk = u.disk
	if !last && now.Before(u.due) {
		return s
	}
	u.due = now.Add(u.every)
	if err := u.write(s); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task: note usage:", err)
	}
	return s
}

func (u *usage) write(s ml.UsageSample) error {
	path := filepath.Join(u.dir, ml.FileUsage)
	if u.count >= maxUsage {
		if err := u.thin(path); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(s.Append(nil))
	u.count++
	return err
}

// thin drops every other record.
func (u *usage) thin(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var kept []byte
	for i, record := range slices.Collect(slices.Chunk(b, ml.UsageSampleSize)) {
		if i%2 == 1 {
			kept = append(kept, record...)
		}
	}
	u.every *= 2
	u.count = len(kept) / ml.UsageSampleSize
	return os.WriteFile(path, kept, 0o600)
}

// quickMembers is members, from the group alone where there is one: its list
// costs nothing however many other processes the host has.
func (t tree) quickMembers() []int {
	if len(t.group.folders()) > 0 {
		return t.group.members()
	}
	return descendants(t.root)
}

// clockTick is the unit of /proc's times; Linux has had no other for long.
const clockTick = time.Second / 100

// processTime is what a living process has used, with those of its children
// that it has seen end.
func processTime(pid int) time.Duration {
	st, err := readStat(pid)
	if err != nil {
		return 0
	}
	return time.Duration(st.ticks) * clockTick
}

// childrenTime is what our own children had used when they ended.
func childrenTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// diskUsage is what the files below a folder take on the disk, in bytes. Files
// that were deleted and are still open escape it.
func diskUsage(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went away meanwhile
		}
		if info, err := d.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				sum += st.Blocks * 512
			}
		}
		return nil
	})
	return sum
}

func parseTicks(fields [][]byte) (ticks int64) {
	for _, f := range fields {
		n, _ := strconv.ParseInt(string(f), 10, 64)
		ticks += n
	}
	return ticks
}
