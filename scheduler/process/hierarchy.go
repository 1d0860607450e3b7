package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// hierarchies is where this process stands in the cgroup trees of the host.
type hierarchies struct {
	unified string            // its folder in the cgroup2 tree, "" without one
	legacy  map[string]string // its folder by version 1 controller
}

// leafName is the group that the daemon moves itself to where a group with
// processes of its own may not have limits for the groups below it (version
// 2). A service manager that starts the daemon there spares it the move.
const leafName = "hearth-daemon"

func readHierarchies() (hierarchies, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return hierarchies{}, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return hierarchies{}, err
	}
	return parseHierarchies(string(mounts), string(groups)), nil
}

// parseHierarchies reads /proc/self/mountinfo and /proc/self/cgroup.
func parseHierarchies(mounts, groups string) hierarchies {
	own := map[string]string{} // controller → path; "" is the cgroup2 tree
	for line := range strings.Lines(groups) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3); len(f) == 3 {
			for c := range strings.SplitSeq(f[1], ",") {
				own[c] = f[2]
			}
		}
	}
	h := hierarchies{legacy: map[string]string{}}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(line, " - ")
		f, fs := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(fs) < 3 {
			continue
		}
		root, point := f[3], f[4]
		switch fs[0] {
		case "cgroup2":
			if dir, ok := ownFolder(point, root, own[""]); ok {
				h.unified = dir
			}
		case "cgroup":
			for c := range strings.SplitSeq(fs[2], ",") {
				path, member := own[c]
				if dir, ok := ownFolder(point, root, path); member && ok {
					h.legacy[c] = dir
				}
			}
		}
	}
	return h
}

// ownFolder gives the folder of the group path on a mount that shows root.
func ownFolder(point, root, path string) (string, bool) {
	rel, err := filepath.Rel(root, path)
	if path == "" || err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return filepath.Join(point, rel), true
}

// placement is where the groups of this installation's processes go.
type placement struct {
	stem  group // what the names of their groups begin with
	level string
	notes []string // what cannot be had, and why
}

// place finds out what this host allows, by trying it: a group is made and
// removed again.
func (h hierarchies) place(attempts string) placement {
	sum := sha256.Sum256([]byte(attempts))
	name := "hearth-" + hex.EncodeToString(sum[:6])
	p := placement{level: levelNone}
	for c, dst := range map[string]*string{"cpu": &p.stem.CPU, "memory": &p.stem.Memory, "pids": &p.stem.Pids, "freezer": &p.stem.Freezer} {
		if own, ok := h.legacy[c]; ok && usable(filepath.Join(own, name), "cgroup.procs") {
			*dst = filepath.Join(own, name)
		}
	}
	// cgroup.kill came with Linux 5.14, after birth in a group (5.7): with the
	// file there, both work. Without it the tree is of no use here.
	if base := unifiedBase(h.unified); base != "" && usable(filepath.Join(base, name), "cgroup.kill") {
		p.stem.Unified = filepath.Join(base, name)
		p.delegate(base, h.unified)
	}
	switch g := p.stem; {
	case g.Unified != "" && (g.Memory == g.Unified || g.CPU == g.Unified || len(h.legacy) == 0):
		p.level = "cgroup-v2"
	case g.Unified != "":
		p.level = "hybrid"
	case g.Freezer != "" || g.Memory != "" || g.Pids != "":
		p.level = "cgroup-v1"
	case g.CPU == "":
		p.notes = append(p.notes, "no cgroups: this user may not make any here")
	}
	return p
}

// unifiedBase is the group whose children we make: our own, or the one above
// if we are in the leaf made for us.
func unifiedBase(own string) string {
	if filepath.Base(own) == leafName {
		return filepath.Dir(own)
	}
	return own
}

// usable reports whether a group can be made at dir and has the file.
func usable(dir, file string) bool {
	err := os.Mkdir(dir, 0o755)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return false
	}
	defer syscall.Rmdir(dir) // of no effect while it is in use
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// delegate gives the groups below base those controllers of the cgroup2 tree
// that version 1 does not hold.
func (p *placement) delegate(base, own string) {
	has := words(base, "cgroup.controllers")
	want := map[string]*string{"cpu": &p.stem.CPU, "memory": &p.stem.Memory, "pids": &p.stem.Pids}
	var enable []string
	for c, dst := range want {
		if *dst == "" && slices.Contains(has, c) {
			enable = append(enable, c)
		}
	}
	if len(enable) == 0 {
		return
	}
	err := enableControllers(base, enable)
	if errors.Is(err, syscall.EBUSY) && alone(base) && moveToLeaf(own) == nil {
		err = enableControllers(base, enable)
	}
	if err != nil {
		p.notes = append(p.notes, "no limits by cgroup: "+base+" holds other processes too; run Hearth as a service of its own (systemd: Delegate=yes, DelegateSubgroup="+leafName+")")
		return
	}
	for _, c := range enable {
		*want[c] = p.stem.Unified
	}
}

// alone reports whether this process is the only one in the group.
func alone(dir string) bool {
	procs := words(dir, "cgroup.procs")
	return len(procs) == 1 && procs[0] == strconv.Itoa(os.Getpid())
}

func moveToLeaf(own string) error {
	leaf := filepath.Join(own, leafName)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return control(leaf, "cgroup.procs", strconv.Itoa(os.Getpid()))
}

// enableControllers lets the groups below dir have the controllers.
func enableControllers(dir string, controllers []string) error {
	on := words(dir, "cgroup.subtree_control")
	var missing []string
	for _, c := range controllers {
		if !slices.Contains(on, c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return control(dir, "cgroup.subtree_control", strings.Join(missing, " "))
}

// words reads a file of a group as words; an unreadable one has none.
func words(dir, file string) []string {
	b, _ := os.ReadFile(filepath.Join(dir, file))
	return strings.Fields(string(b))
}

// control writes to a file of a group, which must exist.
func control(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
