package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// Stop asks a process tree to end: SIGTERM to all of it, and after its grace
// period it is killed. It returns when the request can no longer be lost; Wait
// tells when the tree is gone. A process that has not come to run yet will
// never run; one that is over stays as it is. NOT_FOUND if the process was
// never started.
func (s *Supervisor) Stop(ctx context.Context, id string) error {
	dir, err := s.folder(id)
	if err != nil {
		return err
	}
	if _, err := readSpec(dir); errors.Is(err, fs.ErrNotExist) {
		return ml.Errorf(ml.NotFound, "process %s was never started", id)
	}
	if exists(dir, ml.FileExit) {
		return nil
	}
	f, err := openLog(dir, fileStop)
	if err != nil {
		return fmt.Errorf("stop %s: %w", id, err)
	}
	f.Close()
	// First the file, then the look for state.json: a shim that has not
	// written that yet sees the file afterwards; one that has can take the
	// signal.
	st, found, err := readState(dir)
	if err != nil {
		return fmt.Errorf("stop %s: %w", id, err)
	}
	if boot, err := bootID(); err != nil || !found || st.BootID != boot {
		return err // Wait settles what is not there
	}
	if err := st.Shim.notify(unix.SIGUSR1); !errors.Is(err, errGone) {
		return err
	}
	return s.resumeInTurn(ctx, id)
}

// notify sends a signal if the process still lives: errGone otherwise.
func (p process) notify(sig unix.Signal) error {
	h, err := p.open()
	if err != nil {
		return err
	}
	defer h.close()
	return h.signal(sig)
}

// removedPrefix is of folders that are being deleted.
const removedPrefix = ".removed-"

// Remove deletes the folder of an attempt and all in it: FAILED_PRECONDITION
// while one of its processes is not over. A missing folder is fine.
func (s *Supervisor) Remove(attempt string) error {
	if !idPattern.MatchString(attempt) {
		return ml.Errorf(ml.InvalidArgument, "%q is not an attempt", attempt)
	}
	dir := filepath.Join(s.dir, attempt)
	tasks, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if id := attempt + "/" + t.Name(); t.IsDir() && s.Started(id) && !exists(s.Folder(id), ml.FileExit) {
			return ml.Errorf(ml.FailedPrecondition, "process %s is not over", id)
		}
	}
	// Renamed first, so that a crash leaves no half of an attempt to be found.
	gone := filepath.Join(s.dir, removedPrefix+attempt)
	if err := os.Rename(dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// sweepRemoved finishes what a crash has interrupted.
func (s *Supervisor) sweepRemoved() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), removedPrefix) {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
