package process

// Isolation says how well this host lets processes be kept apart and bounded.
type Isolation struct {
	// Level is cgroup-v2, hybrid, cgroup-v1 or "none (process groups only)".
	Level string
	// Detail is one sentence for each thing that holds or does not.
	Detail []string
}

const levelNone = "none (process groups only)"

// Isolation tells what was found at Open.
func (s *Supervisor) Isolation() Isolation {
	g := s.placement.parent
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
	i.Detail = append(i.Detail, "processes run as the user of the daemon and can read and write all that it can")
	i.Detail = append(i.Detail, s.placement.notes...)
	return i
}
