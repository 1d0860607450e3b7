package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// Start runs a process, once. It is idempotent: for an id that was started
// before, by any daemon, p is ignored and the first specification holds. It
// returns when the process runs or is over already (a program that cannot be
// executed is over at once; Wait tells why). If ctx ends earlier, the process
// goes its way. An error means that the process could not be asked for, and
// that Start can be called again.
func (s *Supervisor) Start(ctx context.Context, id string, p ml.Process) error {
	dir, err := s.folder(id)
	if err != nil {
		return err
	}
	s.reap()
	release, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	err = os.MkdirAll(dir, 0o700)
	if err == nil {
		err = s.resume(ctx, id, &p)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	return nil
}

// specify gives the specification of a process. If there is none it becomes
// asked; the caller has the lock.
func (s *Supervisor) specify(dir, id string, asked *ml.Process) (spec, error) {
	sp, err := readSpec(dir)
	if asked == nil || !errors.Is(err, fs.ErrNotExist) {
		return sp, err
	}
	boot, err := bootID()
	if err != nil {
		return sp, err
	}
	sp = spec{ID: id, BootID: boot, Process: *asked}
	return sp, writeJSON(dir, ml.FileSpec, sp, surviveKill)
}

// syncSpec makes the intent to run a process durable.
func (s *Supervisor) syncSpec(dir string) error {
	// The file has its name already: the first of these then commits all of it
	// to the file system's journal and the others find nothing to do. What a
	// loss of power before their end leaves behind is a whole file, none, or
	// one that cannot be parsed and counts as none; nothing has run by then.
	for _, path := range []string{filepath.Join(dir, ml.FileSpec), dir, filepath.Dir(dir), s.dir} {
		if err := syncFile(path); err != nil {
			return err
		}
	}
	return nil
}

// resume brings a process to where it runs or is over, from wherever a crash
// has left it. What is asked for counts if nothing was asked for before. The
// caller has the turn.
func (s *Supervisor) resume(ctx context.Context, id string, asked *ml.Process) error {
	dir := s.Folder(id)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		if exists(dir, ml.FileExit) {
			return nil // its shim may hold the lock for another moment
		}
		lock, err := tryLock(dir)
		if err != nil {
			return err
		}
		if lock != nil {
			defer lock.Close()
			sp, err := s.specify(dir, id, asked)
			if err != nil {
				return err
			}
			return s.resumeLocked(ctx, sp, lock, nil)
		}
		st, found, err := readState(dir)
		if err != nil {
			return err
		}
		if found && st.Phase == phaseRunning && st.Shim.lives() {
			return nil
		}
		// A shim of an earlier daemon is just starting or just ending: a matter
		// of milliseconds that only a restart at that moment gets to see.
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryLock takes the lock of a process's folder; nil if a shim has it.
func tryLock(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, ml.FileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return lock, nil
	}
	lock.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

// resumeLocked decides what becomes of a process that no shim looks after. The
// caller has turn and lock, and child if it could take hold of it in time.
func (s *Supervisor) resumeLocked(ctx context.Context, sp spec, lock *os.File, child *handle) error {
	dir := s.Folder(sp.ID)
	if exists(dir, ml.FileExit) {
		return nil
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	st, found, err := readState(dir)
	switch {
	case err != nil:
		return err
	case sp.BootID != boot:
		return s.settle(sp.ID, ml.Exit{Code: -1, Lost: true, Reason: reasonRestarted})
	case found:
		return s.settleLost(sp.ID, st, child)
	case exists(dir, fileStop):
		return s.settle(sp.ID, ml.Exit{Code: -1, Stopped: true, Reason: reasonNeverStarted})
	}
	return s.launch(ctx, sp, lock)
}

// launch starts a shim and hands the lock on to it. The shim comes up while
// the specification is being made durable, and waits for our word before it
// does anything. It returns when the shim reports that the process runs, or has
// ended.
func (s *Supervisor) launch(ctx context.Context, sp spec, lock *os.File) error {
	dir := s.Folder(sp.ID)
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	pid, err := s.forkShim(sp, lock, theirs)
	theirs.Close()
	lock.Close() // the shim holds it now; not an unlock
	if err != nil {
		return fmt.Errorf("start a supervisor: %w", err)
	}
	s.mu.Lock()
	s.zombie[sp.ID] = pid
	s.mu.Unlock()
	s.log.Info().Str("process", sp.ID).Int("pid", pid).Msg("supervisor started")

	if err := s.syncSpec(dir); err != nil {
		return err // the shim hears no word and leaves
	}
	stop := context.AfterFunc(ctx, func() { ours.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	ours.Write(b[:]) // it can only fail if the shim is dead, which the next line sees
	if n, _ := ours.Read(b[:]); n == 1 || exists(dir, ml.FileExit) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if exists(dir, ml.FileState) {
		return nil // killed in mid-start; Wait settles that
	}
	return fmt.Errorf("the supervisor ended before it began: %s", lastLine(filepath.Join(dir, fileShimLog)))
}

// socketPair gives two connected ends: ours for the runtime's poller, theirs
// for a child.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.SetNonblock(fds[0], true)
	return os.NewFile(uintptr(fds[0]), "shim"), os.NewFile(uintptr(fds[1]), "daemon"), nil
}

// forkShim executes a shim that shares nothing with the daemon but the two
// files it is given: its own session, no terminal, no environment.
func (s *Supervisor) forkShim(sp spec, lock, word *os.File) (pid int, err error) {
	dir := s.Folder(sp.ID)
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	log, err := openLog(dir, fileShimLog)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	group, err := json.Marshal(s.placement.stem.of(sp.ID, sp.Process.Limits))
	if err != nil {
		return 0, err
	}
	return syscall.ForkExec(s.executable, []string{"hearth", "task", dir}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{groupVariable + "=" + string(group)},
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd(), lock.Fd(), word.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// lastLine gives the last line of a small file.
func lastLine(path string) string {
	b, _ := os.ReadFile(path)
	text := strings.TrimSpace(string(b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
