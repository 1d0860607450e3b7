package object

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// sweepSometimes removes expired uploads, at most once an hour.
func (l *Local) sweepSometimes() error {
	l.uploads.mu.Lock()
	due := time.Since(l.uploads.swept) > sweepEvery
	if due {
		l.uploads.swept = time.Now()
	}
	l.uploads.mu.Unlock()
	if !due {
		return nil
	}
	return l.sweepUploads()
}

// sweepUploads forgets expired uploads and removes files of .uploads that
// belong to none. A file comes after its record, so none is taken by mistake.
func (l *Local) sweepUploads() error {
	entries, err := os.ReadDir(filepath.Join(l.dir, uploadDir))
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	var expired []string
	err = l.view(func(x index) error {
		return x.tx.Bucket(bktUploads).ForEach(func(k, v []byte) error {
			var r uploadRecord
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("read an upload of the objects' index: %w", err)
			}
			age, life := time.Since(r.Updated), uploadLife
			if r.Done != nil {
				life = finishedLife
			}
			if age > life {
				expired = append(expired, string(k))
			} else {
				alive[string(k)] = r.Done == nil
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, id := range expired {
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
