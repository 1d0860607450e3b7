package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hearth/ml"
)

// Why an exit status is not known.
const (
	reasonRestarted  = "the host restarted"
	reasonShimKilled = "the supervisor of the process was killed"
)

// Wait returns when the whole process tree is gone and says how the main
// process ended. It works for processes of earlier daemons, finishes a Start
// that a crash has interrupted, and ends a tree whose supervisor was killed.
// NOT_FOUND if the process was never started. It holds no thread and returns
// at once when ctx ends.
func (s *Supervisor) Wait(ctx context.Context, id string) (ml.Exit, error) {
	dir, err := s.folder(id)
	if err != nil {
		return ml.Exit{}, err
	}
	for {
		if exit, found, err := readExit(dir); found || err != nil {
			s.reap()
			return exit, err
		}
		if err := s.attend(ctx, id); err != nil {
			if ctx.Err() != nil {
				return ml.Exit{}, ctx.Err()
			}
			return ml.Exit{}, fmt.Errorf("wait for %s: %w", id, err)
		}
	}
}

// attend resumes a process and returns when its shim has ended.
func (s *Supervisor) attend(ctx context.Context, id string) error {
	dir := s.Folder(id)
	if _, err := readSpec(dir); errors.Is(err, fs.ErrNotExist) {
		return ml.Errorf(ml.NotFound, "process %s was never started", id)
	}
	if err := s.resumeInTurn(ctx, id); err != nil || exists(dir, ml.FileExit) {
		return err
	}
	st, found, err := readState(dir)
	if err != nil || !found {
		return err
	}
	shim, err := st.Shim.open()
	if errors.Is(err, errGone) {
		return s.settleInTurn(ctx, id, nil)
	}
	if err != nil {
		return err
	}
	defer shim.close()
	// Held now, it can tell how the child ended even when nobody else can.
	child, err := st.Child.open()
	if err == nil {
		defer child.close()
	} else if !errors.Is(err, errGone) {
		return err
	}
	if err := waitAlive(ctx, dir); err != nil || exists(dir, ml.FileExit) {
		return err
	}
	if err := shim.wait(ctx); err != nil {
		return err
	}
	s.reap()
	return s.settleInTurn(ctx, id, child)
}

// waitAlive returns when a shim has written exit.json or is dying.
func waitAlive(ctx context.Context, dir string) error {
	pipe, err := os.OpenFile(filepath.Join(dir, fileAlive), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer pipe.Close()
	stop := context.AfterFunc(ctx, func() { pipe.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var b [1]byte
	_, err = pipe.Read(b[:]) // nobody writes: it ends when nobody could any more
	if errors.Is(err, io.EOF) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (s *Supervisor) resumeInTurn(ctx context.Context, id string) error {
	release, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	return s.resume(ctx, id, nil)
}

// settleInTurn writes the exit of a process whose shim is gone, unless the
// shim or another waiter has. child may be nil.
func (s *Supervisor) settleInTurn(ctx context.Context, id string, child *handle) error {
	dir := s.Folder(id)
	if exists(dir, ml.FileExit) {
		return nil
	}
	release, err := s.take(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	lock, err := tryLock(dir)
	if err != nil || lock == nil {
		return err // a fork of the shim still holds it; the next round sees
	}
	defer lock.Close()
	sp, err := readSpec(dir)
	if err != nil {
		return err
	}
	return s.resumeLocked(ctx, sp, lock, child)
}

// settleLost ends the tree of a shim that was killed. The caller has turn and
// lock.
func (s *Supervisor) settleLost(id string, st state, child *handle) error {
	dir := s.Folder(id)
	exit := ml.Exit{Code: -1, Lost: true, Reason: reasonShimKilled}
	if child != nil {
		// Had the process ended before we came to end it?
		if ws, ok := child.exitStatus(); ok {
			exit = exitOf(ws)
			exit.Reason = reasonShimKilled + "; the kernel told how the process ended"
		}
	}
	exit.Stopped = exists(dir, fileStop)
	left := s.killLost(dir, st)
	if left > 0 {
		exit.Reason = fmt.Sprintf("%s, and %d of its processes could not be killed", reasonShimKilled, left)
	}
	if err := st.Group.remove(); err != nil {
		s.log.Warn().Str("process", id).Err(err).Msg("cgroup left behind")
	}
	return s.settle(id, exit)
}

// killLost kills what a dead shim has left: its group and all that carry the
// mark. It gives up on what does not die.
func (s *Supervisor) killLost(dir string, st state) (left int) {
	for until := time.Now().Add(killAtMost); time.Now().Before(until); {
		st.Group.kill()
		left = killMarked(dir) + len(st.Group.members())
		if left == 0 {
			break
		}
		time.Sleep(killEvery)
	}
	return left
}

// settle writes exit.json in the shim's place. The caller has turn and lock.
func (s *Supervisor) settle(id string, exit ml.Exit) error {
	dir := s.Folder(id)
	if exit.Ended.IsZero() {
		exit.Ended = ml.At(time.Now())
	}
	if exists(dir, ml.FileStdout) {
		if err := appendLastMark(dir); err != nil {
			return err
		}
		syncLogs(dir)
	}
	if err := writeJSON(dir, ml.FileExit, exit, survivePower); err != nil {
		return err
	}
	s.log.Warn().Str("process", id).Bool("lost", exit.Lost).Str("reason", exit.Reason).Msg("settled in its supervisor's place")
	return nil
}
