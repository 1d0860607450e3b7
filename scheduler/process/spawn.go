package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// Whom the kernel is to kill first when the host is out of memory.
const (
	oomScoreShim     = -900 // nobody else can tell how the process ended
	oomScoreTraining = 500
)

// spawn forks and executes the process. It is born in its group: a thread
// joins the version 1 groups for as long as the fork takes, the cgroup2 tree
// has a flag for it. Nothing that the process forks can so escape.
func (s *shim) spawn() (pid int, err error) {
	p := s.spec.Process
	path, err := lookPath(p)
	if err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{
		Dir: p.Dir,
		Env: append(without(p.Env, markVariable), markVariable+"="+s.dir),
		// Real files, never pipes: they outlive any supervisor, and whoever
		// holds them open keeps nobody waiting.
		Files: []uintptr{null.Fd(), s.marker.stdout.Fd(), s.marker.stderr.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if dir := s.state.Group.Unified; dir != "" {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return 0, fmt.Errorf("open cgroup %s: %w", dir, err)
		}
		defer unix.Close(fd)
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, fd
	}
	if box := p.Sandbox; box != nil && box.User != 0 && os.Geteuid() == 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: box.User, Gid: box.User}
	}
	restore := childScores(p.Weight)
	defer restore()
	return s.fork(path, attr)
}

// fork forks on a thread of its own, which ends then: what a thread has given up
// for its child's sake cannot be taken back.
func (s *shim) fork(path string, attr *syscall.ProcAttr) (pid int, err error) {
	p, g := s.spec.Process, s.state.Group
	limit := p.Limits.Pids
	if limit > 0 && !g.v2(g.Pids) {
		limit++ // while that thread is in the group it counts
	}
	if err := g.limitPids(limit); err != nil {
		return 0, fmt.Errorf("limit processes by cgroup: %w", err)
	}
	forked, left := make(chan struct{}), make(chan struct{})
	leave := func() error { return nil }
	go onOwnThread(func() {
		defer func() { <-left }()
		defer close(forked)
		var own hierarchies
		if own, err = readHierarchies(); err != nil {
			return
		}
		if leave, err = g.join(own); err != nil {
			leave = func() error { return nil }
			return
		}
		if p.Sandbox != nil {
			if err = enter(*p.Sandbox); err != nil {
				err = fmt.Errorf("make the sandbox: %w", err)
				return
			}
		}
		if pid, err = syscall.ForkExec(path, p.Args, attr); err != nil {
			err = fmt.Errorf("start %s in %s: %w", path, p.Dir, err)
		}
	})
	<-forked
	// By this thread: that one may have given up the right to.
	if e := leave(); e != nil {
		fmt.Fprintln(os.Stderr, "hearth task: leave cgroup:", e)
	}
	close(left)
	if err != nil {
		return 0, err
	}
	if err := g.limitPids(p.Limits.Pids); err != nil {
		fmt.Fprintln(os.Stderr, "hearth task: limit processes:", err)
	}
	return pid, nil
}

// onOwnThread runs f on a thread that ends with it. The first thread of a
// process never ends, so it is none of these.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// childScores gives this process the standing that its child is to inherit;
// restore makes it a shim's.
func childScores(w ml.Weight) (restore func()) {
	const file = "/proc/self/oom_score_adj"
	before, _ := os.ReadFile(file)
	if w == ml.WeightIdle {
		os.WriteFile(file, []byte(strconv.Itoa(oomScoreTraining)), 0)
	}
	return func() {
		// Without privileges one may only go back to where one was.
		if os.WriteFile(file, []byte(strconv.Itoa(oomScoreShim)), 0) != nil {
			os.WriteFile(file, before, 0)
		}
	}
}

// lookPath finds the program in PATH of the process's own environment.
func lookPath(p ml.Process) (string, error) {
	if len(p.Args) == 0 {
		return "", errors.New("the command line is empty")
	}
	name := p.Args[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	search := variable(p.Env, "PATH")
	if search == "" {
		search = "/usr/local/bin:/usr/bin:/bin"
	}
	for dir := range strings.SplitSeq(search, ":") {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.Dir, path)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: fs.ErrNotExist}
}

// variable gives the value of a variable; the last one of a name counts.
func variable(env []string, name string) string {
	value := ""
	for _, v := range env {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			value = rest
		}
	}
	return value
}

// without gives a copy of env that lacks one variable.
func without(env []string, name string) []string {
	kept := make([]string, 0, len(env)+1)
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			kept = append(kept, v)
		}
	}
	return kept
}
