package process

import (
	"fmt"
	"os"
)

// Isolation says how well this host lets processes be kept apart and bounded.
type Isolation struct {
	// Level is cgroup-v2, hybrid, cgroup-v1 or "none (process groups only)".
	Level string
	// Detail is one sentence for each thing that holds or does not.
	Detail []string
}

// FilesKept reports whether this kernel can keep a process to certain files.
func FilesKept() bool { return landlockVersion() > 0 }

// CanBecomeOthers reports whether processes can run as other users than the
// daemon's.
func CanBecomeOthers() bool { return os.Geteuid() == 0 }

const levelNone = "none (process groups only)"

// Isolation tells what was found at Open.
func (s *Supervisor) Isolation() Isolation {
	g := s.placement.stem
	i := Isolation{Level: s.placement.level}
	say := func(have bool, yes, no string) {
		if !have {
			yes = no
		}
		i.Detail = append(i.Detail, yes)
	}
	switch {
	case g.Unified != "":
		i.Detail = append(i.Detail, "ending a tree: cgroup.kill")
	case g.Freezer != "":
		i.Detail = append(i.Detail, "ending a tree: freezer cgroup")
	default:
		i.Detail = append(i.Detail, "ending a tree: by descent; processes are found as children of their supervisor")
	}
	say(g.Memory != "", "memory limits: kept by the kernel", "memory limits: by sampling; a fast program can overshoot for a moment")
	say(g.CPU != "", "training yields the processor to serving: by cgroup weight", "training does not yield the processor to serving")
	say(g.Pids != "", "limits on the number of processes: kept by the kernel", "limits on the number of processes: not kept")
	if v := landlockVersion(); v > 0 {
		i.Detail = append(i.Detail, fmt.Sprintf("a job's files: kept to its own by landlock (version %d)", v))
	} else {
		i.Detail = append(i.Detail, "a job's files: this kernel has no landlock; a job can touch all that its user can")
	}
	i.Detail = append(i.Detail, s.placement.notes...)
	return i
}
