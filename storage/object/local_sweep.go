package object

import (
	"errors"
	"os"
	"path/filepath"
)

// sweepUploads forgets expired uploads and removes files of .uploads that
// belong to none. A file comes after its record, so none is taken by mistake.
func (l *Local) sweepUploads() error {
	entries, err := os.ReadDir(filepath.Join(l.dir, uploadDir))
	if err != nil {
		return err
	}
	alive, expired, err := l.uploadsByAge()
	if err != nil {
		return err
	}
	for id := range expired {
		if err := l.dropUpload(id); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if !alive[e.Name()] {
			if err := os.Remove(l.spoolFile(e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
