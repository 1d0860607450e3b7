package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// group is the cgroup of one process tree, or the stem of the names of such
// groups: its folder in each tree that is used, "" where there is none. A
// controller whose folder is Unified is version 2, the others are version 1. The
// zero group is no group at all.
type group struct {
	Unified string `json:"unified,omitempty"` // for birth and cgroup.kill
	CPU     string `json:"cpu,omitempty"`
	Memory  string `json:"memory,omitempty"`
	Pids    string `json:"pids,omitempty"`
	Freezer string `json:"freezer,omitempty"`
}

// of is the group of the process id, for the stem g.
//
// The groups have no parent of their own: the kernel weighs groups against
// their neighbours, and would weigh a parent that holds nothing but idle ones as
// an ordinary neighbour of the daemon and its clients. Nor are there two, one of
// them idle: a group that moves leaves its memory's charges behind.
func (g group) of(id string, limits ml.Limits) group {
	name := "@" + strings.ReplaceAll(id, "/", "@") // no file of a group has an @
	join := func(stem string) string {
		if stem == "" {
			return ""
		}
		return stem + name
	}
	c := group{Unified: join(g.Unified), CPU: join(g.CPU), Memory: join(g.Memory)}
	if limits.Pids > 0 || g.v2(g.Pids) {
		c.Pids = join(g.Pids)
	}
	if g.Unified == "" { // else cgroup.kill does the same, and better
		c.Freezer = join(g.Freezer)
	}
	return c
}

func (g group) v2(dir string) bool { return dir != "" && dir == g.Unified }

// folders are the distinct folders of the group; the cgroup2 tree comes first.
func (g group) folders() []string {
	var dirs []string
	for _, d := range []string{g.Unified, g.CPU, g.Memory, g.Pids, g.Freezer} {
		if d != "" && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// make creates the group with its limits and weight.
func (g group) make(limits ml.Limits, weight ml.Weight) error {
	for _, d := range g.folders() {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	if err := g.limitMemory(limits.MemoryBytes); err != nil {
		return fmt.Errorf("limit memory by cgroup: %w", err)
	}
	if weight == ml.WeightIdle {
		if err := g.setWeight(weight); err != nil {
			return fmt.Errorf("weigh cgroup: %w", err)
		}
	}
	return nil
}

func (g group) limitMemory(limit int64) error {
	if limit <= 0 || g.Memory == "" {
		return nil
	}
	value := strconv.FormatInt(limit, 10)
	if g.v2(g.Memory) {
		return errors.Join(
			control(g.Memory, "memory.max", value),
			optional(control(g.Memory, "memory.swap.max", "0")),
			optional(control(g.Memory, "memory.oom.group", "1")))
	}
	return errors.Join(
		control(g.Memory, "memory.limit_in_bytes", value),
		optional(control(g.Memory, "memory.memsw.limit_in_bytes", value)))
}

// limitPids sets how many processes and threads the group may hold.
func (g group) limitPids(n int64) error {
	if n <= 0 || g.Pids == "" {
		return nil
	}
	return control(g.Pids, "pids.max", strconv.FormatInt(n, 10))
}

// setWeight makes the group's claim on the processor that of an ordinary group
// or that of one that takes what is left: cpu.idle, or the smallest share on
// kernels before 5.15.
func (g group) setWeight(w ml.Weight) error {
	if g.CPU == "" {
		return nil
	}
	idle, share, least, ordinary := "0", "cpu.shares", "2", "1024"
	if g.v2(g.CPU) {
		share, least, ordinary = "cpu.weight", "1", "100"
	}
	value := ordinary
	if w == ml.WeightIdle {
		idle, value = "1", least
	}
	err := control(g.CPU, "cpu.idle", idle)
	if errors.Is(err, fs.ErrNotExist) {
		return control(g.CPU, share, value)
	}
	return err
}

// optional drops the error of a file that this kernel does not have.
func optional(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// oomKills is how many processes of the group the kernel has killed for the
// group's memory.
func (g group) oomKills() int64 {
	file := "memory.oom_control"
	if g.v2(g.Memory) {
		file = "memory.events"
	}
	if g.Memory == "" {
		return 0
	}
	f := words(g.Memory, file)
	if i := slices.Index(f, "oom_kill"); i >= 0 && i+1 < len(f) {
		n, _ := strconv.ParseInt(f[i+1], 10, 64)
		return n
	}
	return 0
}

// join puts the calling thread alone into the version 1 groups, so that what
// it forks is born there; leave puts it back. The caller has locked the
// thread.
func (g group) join(own hierarchies) (leave func() error, err error) {
	tid := strconv.Itoa(unix.Gettid())
	var back []string
	leave = func() error {
		var errs []error
		for _, dir := range back {
			errs = append(errs, control(dir, "tasks", tid))
		}
		return errors.Join(errs...)
	}
	for _, m := range []struct{ controller, dir string }{{"cpu", g.CPU}, {"memory", g.Memory}, {"pids", g.Pids}, {"freezer", g.Freezer}} {
		if m.dir == "" || g.v2(m.dir) {
			continue
		}
		if err := control(m.dir, "tasks", tid); err != nil {
			return nil, errors.Join(fmt.Errorf("join cgroup: %w", err), leave())
		}
		back = append(back, own.legacy[m.controller])
	}
	return leave, nil
}

// members are the pids in the group and in groups that the tree has made
// below it.
func (g group) members() []int {
	var pids []int
	for _, dir := range g.folders() {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil
			}
			for _, w := range words(path, "cgroup.procs") {
				if pid, err := strconv.Atoi(w); err == nil && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// kill kills everything in the group. What the tree forks at the same moment
// may escape one call where there is no cgroup.kill: call until it is empty.
func (g group) kill() {
	if g.Unified != "" && control(g.Unified, "cgroup.kill", "1") == nil {
		return
	}
	if g.Freezer != "" {
		control(g.Freezer, "freezer.state", "FROZEN")
		defer control(g.Freezer, "freezer.state", "THAWED") // the frozen die only now
	}
	for _, pid := range g.members() {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// remove deletes the group. What has just died may keep it for another moment,
// so it tries for a while.
func (g group) remove() error {
	const patience = 2 * time.Second
	var failed error
	for _, dir := range g.folders() {
		deadline := time.Now().Add(patience)
		for {
			err := removeNested(dir)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				failed = errors.Join(failed, err)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return failed
}

// removeNested removes a group and those below it.
func removeNested(dir string) error {
	err := syscall.Rmdir(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeNested(filepath.Join(dir, e.Name()))
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	}
	return nil
}
