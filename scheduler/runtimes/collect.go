package runtimes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Collect removes the environments that nobody has asked for since before, and
// what interrupted builds of that time have left. inUse reports whether a
// process still runs in an environment's folder. It gives how many are gone.
func (s *Store) Collect(before time.Time, inUse func(dir string) bool) (removed int, err error) {
	entries, err := os.ReadDir(s.o.Environments)
	if err != nil {
		return 0, fmt.Errorf("list environments: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		dir := filepath.Join(s.o.Environments, entry.Name())
		if !entry.IsDir() || !lastUse(dir).Before(before) || inUse(dir) {
			continue
		}
		gone, err := collectOne(dir, before)
		if gone {
			removed++
		}
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// lastUse is when an environment was last asked for, or its build last touched.
func lastUse(dir string) time.Time {
	for _, path := range []string{filepath.Join(dir, environmentFile), dir} {
		if st, err := os.Stat(path); err == nil {
			return st.ModTime()
		}
	}
	return time.Now()
}

// collectOne removes an environment unless somebody builds it.
func collectOne(dir string, before time.Time) (bool, error) {
	f, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !lastUse(dir).Before(before) {
		return false, nil
	}
	// Without its record it is no environment any more, whatever happens next.
	if err := os.Remove(filepath.Join(dir, environmentFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, errors.Join(os.RemoveAll(dir), os.Remove(dir+lockSuffix))
}
