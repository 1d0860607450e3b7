package process

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

const (
	killEvery     = 10 * time.Millisecond  // until the tree is gone
	killAtMost    = 5 * time.Second        // what is alive then never dies
	sampleEvery   = 150 * time.Millisecond // the tree's memory
	sampleBackoff = 20                     // a sample may cost a 20th of the time
	oomPatience   = time.Second            // between a death for memory and the end of the tree
)

// supervision is what a shim knows while its tree lives.
type supervision struct {
	*shim
	main        int
	exit        *ml.Exit // set once the main process has ended
	stopped     bool     // SIGTERM was sent
	outOfMemory bool     // the tree is over its limit
	outOfDisk   bool     // so are its files
	usage       *usage

	grace     <-chan time.Time
	killing   <-chan time.Time // set while the tree is being killed
	killUntil time.Time
	sample    <-chan time.Time
	note      <-chan time.Time // of usage
	deleted   <-chan struct{}
}

// supervise returns when no process of the tree is left. If the main process
// ends by itself, what it leaves behind is killed at once; if it was asked to
// end, the others have the rest of the grace period.
func (s *shim) supervise(pid int) ml.Exit {
	v := &supervision{shim: s, main: pid, deleted: s.marker.deleted, usage: newUsage(s.tree, s.dir, s.spec.Process)}
	v.note = time.After(usageEvery)
	if s.spec.Process.Limits.MemoryBytes > 0 {
		v.sample = time.After(sampleEvery)
	}
	for !v.reap() {
		if v.exit != nil && !v.stopped {
			v.kill()
		}
		if v.killing != nil && time.Now().After(v.killUntil) {
			return v.result(len(v.tree.members()))
		}
		select {
		case <-s.children:
		case <-s.requests:
			v.terminate()
		case <-s.ends:
			v.terminate()
		case <-v.deleted: // nobody could ever find the tree again
			v.deleted = nil
			v.terminate()
		case <-v.grace:
			v.kill()
		case <-v.killing:
			v.killing = nil
			v.kill()
		case <-v.sample:
			v.checkMemory()
		case <-v.note:
			v.noteUsage()
		}
	}
	return v.result(0)
}

// reap collects the dead. It reports whether the tree is gone: every orphan
// becomes our child, so that no child means no tree.
func (v *supervision) reap() (gone bool) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, unix.WNOHANG|unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return true
		case pid == 0:
			return false
		case pid == v.main && v.exit == nil:
			exit := exitOf(ws)
			v.exit = &exit
			v.outOfMemory = v.outOfMemory || v.tree.group.oomKills() > 0
		}
	}
}

func (v *supervision) terminate() {
	if v.stopped {
		return
	}
	v.stopped = true
	v.grace = time.After(v.spec.Process.Grace)
	v.tree.terminate()
}

// kill kills the tree now, and again until it is gone.
func (v *supervision) kill() {
	if v.killing != nil {
		return
	}
	if v.killUntil.IsZero() {
		v.killUntil = time.Now().Add(killAtMost)
	}
	v.grace, v.sample = nil, nil
	v.killing = time.After(killEvery)
	v.tree.kill()
}

// checkMemory ends a tree that is over its limit. With a cgroup the kernel
// keeps the limit; version 1 then kills one process and leaves the others, who
// may wait for it for ever. They get a moment to say what they make of it.
func (v *supervision) checkMemory() {
	limit := v.spec.Process.Limits.MemoryBytes
	began := time.Now()
	if v.tree.group.Memory == "" {
		if v.tree.memory(limit) > limit {
			v.outOfMemory = true
			v.kill()
			return
		}
	} else if v.tree.group.oomKills() > 0 {
		v.outOfMemory, v.sample = true, nil
		if v.grace == nil {
			v.grace = time.After(oomPatience)
		}
		return
	}
	v.sample = time.After(max(sampleEvery, sampleBackoff*time.Since(began)))
}

// noteUsage notes what the tree uses, and ends one whose files are over their
// limit.
func (v *supervision) noteUsage() {
	s := v.usage.sample(false)
	v.note = time.After(usageEvery)
	if limit := v.spec.Process.Limits.DiskBytes; limit > 0 && s.Disk > limit && v.killing == nil {
		v.outOfDisk = true
		v.kill()
	}
}

// result says how it ended; left is how many processes cannot be killed.
func (v *supervision) result(left int) ml.Exit {
	v.usage.sample(true)
	if v.exit == nil {
		v.exit = &ml.Exit{Code: -1, Lost: true, Ended: ml.At(time.Now())}
	}
	exit := *v.exit
	exit.OutOfMemory = v.outOfMemory && exit.Code != 0
	exit.OutOfDisk = v.outOfDisk
	exit.Stopped = v.stopped && exists(v.dir, fileStop)
	limit := v.spec.Process.Limits.MemoryBytes
	switch {
	case left > 0:
		exit.Reason = fmt.Sprintf("%d of its processes could not be killed", left)
	case exit.OutOfDisk:
		exit.Reason = fmt.Sprintf("its files took more than their limit of %.1f MiB", float64(v.spec.Process.Limits.DiskBytes)/(1<<20))
	case exit.OutOfMemory && limit == 0:
		exit.Reason = "the host ran out of memory"
	case exit.OutOfMemory:
		exit.Reason = fmt.Sprintf("it used more memory than its limit of %.1f MiB", float64(limit)/(1<<20))
	case v.stopped && !exit.Stopped:
		exit.Reason = "the system asked its supervisor to end"
	}
	return exit
}
