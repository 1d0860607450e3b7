package object

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"hearth/ml"
)

func decodeIntent(b []byte) (*intent, error) {
	var in intent
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("read an intent of the objects' index: %w", err)
	}
	return &in, nil
}

// reconcile carries out or drops the intents that a crash left, and removes
// files that nothing refers to. Nobody else uses the store yet.
func (l *Local) reconcile() error {
	for {
		all, err := l.pending()
		if err != nil {
			return err
		}
		if len(all) == 0 {
			break
		}
		// A move that is carried out leaves an intent to remove the old file.
		for _, p := range all {
			if err := l.settle(p.bucket, p.name, p.in); err != nil {
				return fmt.Errorf("settle what was begun with gs://%s/%s: %w", p.bucket, p.name, err)
			}
		}
	}
	l.leftovers.Clear()
	if err := l.clearStage(); err != nil {
		return err
	}
	return l.sweepUploads()
}

// clearBuckets removes the empty folders of buckets that were not quite made,
// or not quite deleted.
func (l *Local) clearBuckets() error {
	folders, err := l.bucketFolders()
	if err != nil {
		return err
	}
	return l.view(func(x index) error {
		for _, name := range folders {
			if x.tx.Bucket(bktObjects).Bucket([]byte(name)) == nil {
				_ = syscall.Rmdir(filepath.Join(l.dir, name))
			}
		}
		return nil
	})
}

// pending is an intent with the name that it is about.
type pending struct {
	bucket, name string
	in           *intent
}

func (l *Local) pending() (all []pending, err error) {
	err = l.view(func(x index) error {
		return x.tx.Bucket(bktIntents).ForEach(func(k, v []byte) error {
			bucket, name := splitIntentKey(k)
			in, err := decodeIntent(v)
			all = append(all, pending{bucket, name, in})
			return err
		})
	})
	return all, err
}

// settle ends what an intent began: it is carried out if its file is in place
// and dropped if not.
func (l *Local) settle(bucket, name string, in *intent) error {
	if in.Unlink {
		if err := l.settleUnlink(bucket, name, in); err != nil {
			return err
		}
		l.o.Log.Info().Str("bucket", bucket).Str("object", name).Msg("removed the file of a deleted object")
		return l.updateSurely(func(x index) error { return x.dropIntent(bucket, name) })
	}
	whole, err := l.holds(bucket, in)
	if err != nil {
		return err
	}
	if !whole {
		l.o.Log.Info().Str("bucket", bucket).Str("object", name).Msg("dropped a write that was never answered")
		// Its folders may have been made already.
		if err := l.dirs.prune(filepath.Join(l.dir, bucket), filepath.Dir(l.file(bucket, in.Record.Path))); err != nil {
			return err
		}
		return l.updateSurely(func(x index) error { return x.dropIntent(bucket, name) })
	}
	l.o.Log.Info().Str("bucket", bucket).Str("object", name).Msg("finished a write that was nearly done")
	// The rename happened, but perhaps not yet its sync.
	if err := syncFolder(filepath.Dir(l.file(bucket, in.Record.Path))); err != nil {
		return err
	}
	if err := l.commit(bucket, name, in); err != nil {
		return err
	}
	if in.left != nil {
		// Others may be reading the old file, whose name we have not locked.
		l.leave(bucket, in.Moved.Name)
	}
	return nil
}

// holds reports whether the intent's path has the intent's content. Where old
// and new content are the same, either answer is right.
func (l *Local) holds(bucket string, in *intent) (bool, error) {
	f, err := os.Open(l.file(bucket, in.Record.Path))
	if errors.Is(err, os.ErrNotExist) || blocked(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != in.Record.Size {
		return false, err
	}
	d, err := digestFile(f)
	if err != nil {
		return false, err
	}
	return d.crc == in.Record.CRC32C, nil
}

// settleUnlink removes the file of a deleted object, unless a later one of the
// same name is there now.
func (l *Local) settleUnlink(bucket, name string, in *intent) error {
	var now *record
	err := l.view(func(x index) (err error) {
		now, err = x.record(bucket, name)
		return err
	})
	switch {
	case ml.KindOf(err) == ml.NotFound: // the bucket went too
	case err != nil:
		return err
	case now != nil && now.Path == in.Record.Path:
		return nil
	}
	return l.unlink(bucket, in.Record.Path)
}

// leave remembers that a name has an intent that must be settled before
// anything else is done with the name.
func (l *Local) leave(bucket, name string) { l.leftovers.Store(string(intentKey(bucket, name)), nil) }

// settleLeftover settles the intent that an error left on a name, if one did.
// The caller holds the name's lock for writing.
func (l *Local) settleLeftover(bucket, name string) error {
	key := string(intentKey(bucket, name))
	if _, ok := l.leftovers.Load(key); !ok {
		return nil
	}
	var in *intent
	err := l.view(func(x index) (err error) {
		in, err = x.intent(bucket, name)
		return err
	})
	if err == nil && in != nil {
		err = l.settle(bucket, name, in)
	}
	if err == nil {
		l.leftovers.Delete(key)
	}
	return err
}

// clearStage removes files that were being written when the process ended.
func (l *Local) clearStage() error {
	dir := filepath.Join(l.dir, stageDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		l.o.Log.Info().Int("files", len(entries)).Msg("removed what writes left that were never answered")
	}
	return nil
}
