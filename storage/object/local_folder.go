package object

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// folders makes and removes the folders that objects' files are in.
type folders struct {
	// tree is held for reading while a file comes into a folder, for writing
	// while empty folders go.
	tree sync.RWMutex

	mu sync.Mutex
	// durable holds folders that are known to survive a power cut: they and all
	// above them were synced.
	durable map[string]bool
}

// maxDurable bounds the memory of durable; a folder that was forgotten costs a
// few syncs again.
const maxDurable = 10_000

// makeFolders makes dir with folders inside, and returns when all of them are
// durable, and the folders above them.
func makeFolders(dir string, inside ...string) error {
	for _, name := range inside {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	for {
		// Others' folders may not be ours to open.
		if err := syncFolder(dir); err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// ensure makes dir, below root, and returns when it and all folders between
// are durable.
func (f *folders) ensure(root, dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ensureLocked(root, dir)
}

func (f *folders) ensureLocked(root, dir string) error {
	if dir == root || f.durable[dir] {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := f.ensureLocked(root, parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("make the folder %s: %w", dir, syscall.ENOTDIR)
		}
	} else if err != nil {
		return err
	}
	// What exists may have been made just before a crash: it is synced once all
	// the same.
	if err := syncFolder(parent); err != nil {
		return err
	}
	if f.durable == nil || len(f.durable) >= maxDurable {
		f.durable = map[string]bool{}
	}
	f.durable[dir] = true
	return nil
}

func (f *folders) tryRename(root, from, to string) error {
	if err := f.ensure(root, filepath.Dir(to)); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (f *folders) forget(root, dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; dir != root; dir = filepath.Dir(dir) {
		delete(f.durable, dir)
	}
}

// bring renames from to the file to and makes that durable.
func (f *folders) bring(root, from, to string) error {
	dir := filepath.Dir(to)
	if err := f.rename(root, from, to); err != nil {
		return err
	}
	return syncFolder(dir)
}

func (f *folders) rename(root, from, to string) error {
	f.tree.RLock()
	defer f.tree.RUnlock()
	err := f.tryRename(root, from, to)
	if errors.Is(err, os.ErrNotExist) {
		// Somebody has cleared a folder away by hand.
		f.forget(root, filepath.Dir(to))
		err = f.tryRename(root, from, to)
	}
	if err != nil {
		return err
	}
	// Renaming one hard link onto another of the same file does nothing, and
	// leaves both.
	if err := os.Remove(from); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// remove removes a file below root, and the folders that are empty without it,
// and returns when that is durable. A file that is not there is fine.
func (f *folders) remove(root, file string) error {
	err := os.Remove(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	return f.prune(root, filepath.Dir(file))
}

// prune removes the folder dir and those above it, up to but not including
// root, as far as they are empty, and makes durable what was removed from the
// first that stays, and with it what was in the others.
func (f *folders) prune(root, dir string) error {
	dir = f.pruneEmpty(root, dir)
	for {
		err := syncFolder(dir)
		switch {
		case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			return err
		case dir == root:
			return nil // the bucket was deleted
		}
		dir = filepath.Dir(dir) // others have pruned it meanwhile
	}
}

func (f *folders) pruneEmpty(root, dir string) (stays string) {
	f.tree.Lock()
	defer f.tree.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; dir != root; dir = filepath.Dir(dir) {
		// Not os.Remove: a file that is in the way is another object.
		if err := syscall.Rmdir(dir); err != nil && err != syscall.ENOENT && err != syscall.ENOTDIR {
			break
		}
		delete(f.durable, dir)
	}
	return dir
}

// blocked reports whether something that is no object of ours is in the way: a
// folder where a file should be, or a file where a folder should be.
func blocked(err error) bool {
	for _, e := range []error{syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY, syscall.EEXIST, syscall.ENAMETOOLONG, syscall.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
