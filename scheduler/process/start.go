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
// asked, durably; the caller has the lock.
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
	// First the rename, then the syncs: the first of them then commits all of
	// it to the file system's journal and the others find nothing to do. What
	// a loss of power before their end leaves behind is a whole file, none, or
	// one that cannot be parsed and counts as none; nothing has run by then.
	if err := writeJSON(dir, ml.FileSpec, sp, surviveKill); err != nil {
		return sp, err
	}
	for _, path := range []string{filepath.Join(dir, ml.FileSpec), dir, filepath.Dir(dir), s.dir} {
		if err := syncFile(path); err != nil {
			return sp, err
		}
	}
	return sp, nil
}

// resume brings a process to where it runs or is over, from wherever a crash
// has left it. What is asked for counts if nothing was asked for before. The
// caller has the turn.
func (s *Supervisor) resume(ctx context.Context, id string, asked *ml.Process) error {
	dir := s.Folder(id)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
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

// launch starts a shim and hands the lock on to it. It returns when the shim
// reports that the process runs, or has ended.
func (s *Supervisor) launch(ctx context.Context, sp spec, lock *os.File) error {
	dir := s.Folder(sp.ID)
	report, reportIn, err := os.Pipe()
	if err != nil {
		return err
	}
	defer report.Close()
	pid, err := s.forkShim(sp, lock, reportIn)
	reportIn.Close()
	lock.Close() // the shim holds it now; not an unlock
	if err != nil {
		return fmt.Errorf("start a supervisor: %w", err)
	}
	s.mu.Lock()
	s.zombie[sp.ID] = pid
	s.mu.Unlock()
	s.log.Info().Str("process", sp.ID).Int("pid", pid).Msg("supervisor started")

	stop := context.AfterFunc(ctx, func() { report.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	if n, _ := report.Read(b[:]); n == 1 || exists(dir, ml.FileExit) {
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

// forkShim executes a shim that shares nothing with the daemon but the two
// files it is given: its own session, no terminal, no environment.
func (s *Supervisor) forkShim(sp spec, lock, report *os.File) (pid int, err error) {
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
	group, err := json.Marshal(s.placement.parent.child(sp.ID, sp.Process.Limits))
	if err != nil {
		return 0, err
	}
	return syscall.ForkExec(s.executable, []string{"hearth", "task", dir}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{groupVariable + "=" + string(group)},
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd(), lock.Fd(), report.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}

// lastLine gives the last line of a small file.
func lastLine(path string) string {
	b, _ := os.ReadFile(path)
	text := strings.TrimSpace(string(b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
