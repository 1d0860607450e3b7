package process

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// markVariable is in the environment of every process of a tree, with the
// process's folder as its value. It finds the tree when nothing else does.
const markVariable = "HEARTH_PROCESS"

// pids lists all processes of the host.
func pids() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// descendants lists the living processes below root. As long as root is the
// reaper of orphans, nothing that it has started can leave.
func descendants(root int) []int {
	children := map[int][]int{}
	dead := map[int]bool{}
	for _, pid := range pids() {
		if st, err := readStat(pid); err == nil {
			children[st.ppid] = append(children[st.ppid], pid)
			dead[pid] = st.state == 'Z'
		}
	}
	var found []int
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children[queue[0]] {
			if !dead[pid] { // the children of the dead are elsewhere already
				found = append(found, pid)
				queue = append(queue, pid)
			}
		}
	}
	return found
}

// tree is all that a shim has to look after: what descends from it and what is
// in its group.
type tree struct {
	root  int // the shim
	group group
}

func (t tree) members() []int {
	all := descendants(t.root)
	for _, pid := range t.group.members() {
		if !slices.Contains(all, pid) {
			all = append(all, pid)
		}
	}
	return all
}

// terminate asks each member to end, once: a second SIGTERM means "at once" to
// many programs.
func (t tree) terminate() {
	for _, pid := range t.members() {
		unix.Kill(pid, unix.SIGTERM)
	}
}

// kill kills what there is of the tree now. What was forked meanwhile needs
// another call.
func (t tree) kill() {
	t.group.kill()
	// Stop them all before killing the first: a tree that forks faster than it
	// is killed would live for ever.
	const rounds = 10
	stopped := map[int]bool{}
	for range rounds {
		fresh := false
		for _, pid := range descendants(t.root) {
			if !stopped[pid] {
				unix.Kill(pid, unix.SIGSTOP)
				stopped[pid], fresh = true, true
			}
		}
		if !fresh {
			break
		}
	}
	for pid := range stopped {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// memory estimates what the tree uses, in bytes. Resident sizes count shared
// pages once for each process; only where their sum is over limit is the exact
// and expensive number asked for.
func (t tree) memory(limit int64) int64 {
	members := descendants(t.root)
	var sum int64
	for _, pid := range members {
		sum += residentSize(pid)
	}
	if sum <= limit {
		return sum
	}
	sum = 0
	for _, pid := range members {
		sum += proportionalSize(pid)
	}
	return sum
}

func residentSize(pid int) int64 {
	f := words(filepath.Join("/proc", strconv.Itoa(pid)), "statm")
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// proportionalSize counts a page that n processes share as its nth part.
func proportionalSize(pid int) int64 {
	f := words(filepath.Join("/proc", strconv.Itoa(pid)), "smaps_rollup")
	if i := slices.Index(f, "Pss:"); i >= 0 && i+1 < len(f) {
		kib, _ := strconv.ParseInt(f[i+1], 10, 64)
		return kib << 10
	}
	return residentSize(pid)
}

// killMarked kills every process that carries the mark of the folder dir, and
// reports how many it found. Nobody reaps for us here and groups may be
// missing: this is how a tree ends whose shim was killed.
func killMarked(dir string) int {
	mark := []byte(markVariable + "=" + dir)
	found := 0
	for _, pid := range pids() {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// The descriptor came first, so that the signal cannot hit another
		// process than the one whose environment was read.
		env, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
		if pid != os.Getpid() && hasVariable(env, mark) {
			found++
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
	return found
}

func hasVariable(environ, variable []byte) bool {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(v, variable) {
			return true
		}
	}
	return false
}
