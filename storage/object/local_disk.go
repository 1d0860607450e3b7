package object

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"hearth/ml"
)

// checkSpace gives RESOURCE_EXHAUSTED if the disk would have less room than the
// reserve after a write of size more bytes.
func (l *Local) checkSpace(size int64) error {
	if err := l.spare.keep(); err != nil {
		return diskError(err)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(l.dir, &s); err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	free := int64(s.Bavail) * s.Bsize
	if free-max(0, size) >= l.o.ReserveBytes {
		return nil
	}
	return ml.Errorf(ml.ResourceExhausted, "The disk of the bucket is full: %d MiB are free, %d MiB are kept in reserve, and the write needs %d MiB. Delete objects, or make room on the disk.",
		free>>20, l.o.ReserveBytes>>20, (max(0, size)+1<<20-1)>>20)
}

// diskError turns the kernel's way of saying that a disk is full or broken into
// ours.
func diskError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &ml.Error{Kind: ml.ResourceExhausted, Message: "The disk of the bucket is full. Delete objects, or make room on the disk.", Err: err}
	case errors.Is(err, syscall.EROFS):
		return &ml.Error{Kind: ml.Unavailable, Message: "The disk of the bucket is read-only: mount it for writing. The system's log says whether it is broken.", Err: err}
	case errors.Is(err, syscall.EIO):
		return &ml.Error{Kind: ml.Unavailable, Message: "The disk of the bucket cannot be read or written: the system's log says what is broken.", Err: err}
	}
	return err
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// spare is a file that holds some room on the disk, which is given up when the
// disk is full and the index must be written all the same: to delete objects,
// and to finish what has begun. As long as it is gone, nothing else is written.
type spare struct {
	path    string
	mu      sync.Mutex
	missing atomic.Bool
}

const (
	spareFile = ".spare"
	// spareBytes is room for some hundred transactions of the index.
	spareBytes = 1 << 20
)

// open makes the file if there is room; else keep sees to it later.
func (s *spare) open(dir string) {
	s.path = filepath.Join(dir, spareFile)
	if info, err := os.Stat(s.path); err != nil || info.Size() < spareBytes {
		s.missing.Store(true)
		_ = s.keep()
	}
}

// keep makes the file if it is missing.
func (s *spare) keep() error {
	if !s.missing.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.missing.Load() {
		return nil
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, spareBytes), f.Close())
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) { // such a disk does without
		return errors.Join(err, os.Remove(s.path))
	}
	s.missing.Store(false)
	return nil
}

// release gives the room up.
func (s *spare) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing.Store(true)
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// updateSurely is update for what must not fail because the disk is full.
func (l *Local) updateSurely(f func(x index) error) error {
	err := l.update(f)
	if isFull(err) {
		if rerr := l.spare.release(); rerr != nil {
			return errors.Join(err, rerr)
		}
		err = l.update(f)
	}
	return err
}

// Check implements Keeper.
func (l *Local) Check(context.Context) error {
	if err := unix.Access(l.dir, unix.W_OK); err != nil {
		return diskError(fmt.Errorf("look at the objects: %w", err))
	}
	return nil
}
