package object

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"hearth/ml"
)

// keyRebuild is set in meta while an index has yet to be made from what is
// stored.
var keyRebuild = []byte("rebuild")

// newIndexFile is what an index is called until it is complete.
const newIndexFile = indexFile + ".new-*"

// recoverIndex is openIndex, but an index that is missing or cannot be read is
// made anew; one that cannot be read is kept under another name. Whoever opens
// the index asks rebuilding whether it must be filled.
func recoverIndex(dir string, log zerolog.Logger) (*indexDB, error) {
	path := filepath.Join(dir, indexFile)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return createIndex(dir)
	case err != nil:
		return nil, fmt.Errorf("open the objects' index in %s: %w", dir, err)
	}
	// bbolt would make a new index of an empty file, as if there were no objects.
	cause := errors.New("it is empty")
	if info.Size() > 0 {
		var x *indexDB
		if x, cause = openIndexSafely(dir); cause == nil {
			_ = removeNewIndexes(dir) // what is left is only in the way of tidiness
			return x, nil
		}
		if !unreadable(cause) {
			return nil, cause
		}
	}
	aside := path + ".broken-" + time.Now().UTC().Format("20060102T150405.000000")
	if err := os.Rename(path, aside); err != nil {
		return nil, fmt.Errorf("move the broken index of the objects aside: %w", err)
	}
	log.Error().Err(cause).Str("kept", aside).Msg("the objects' index cannot be read: it is made anew from the files; labels of buckets and uploads in pieces are lost")
	return createIndex(dir)
}

// errCorrupt says that bbolt could not cope with what a file holds.
var errCorrupt = errors.New("the file is damaged")

// maxWalked bounds, in bytes, the indexes that are read through when they are
// opened. Up to there it takes a fraction of a second, also from a slow disk.
const maxWalked = 256 << 20

// openIndexSafely is openIndex for a file that may be damaged: bbolt panics or
// reads outside of the file where it meets something impossible.
func openIndexSafely(dir string) (x *indexDB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			x, err = nil, fmt.Errorf("%w: %v", errCorrupt, r)
		}
	}()
	if x, err = openIndex(dir); err != nil {
		return nil, err
	}
	err = x.view(func(i index) error {
		if i.tx.Size() > maxWalked {
			return nil
		}
		return i.tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return walk(b) })
	})
	if err != nil {
		return nil, errors.Join(err, x.db.Close())
	}
	return x, nil
}

// walk reads every page of a bucket, and so meets those that are damaged.
func walk(b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return walk(b.Bucket(k))
		}
		return nil
	})
}

// unreadable reports whether an index is damaged, and not just in use, newer
// than this program, or on a disk that fails.
func unreadable(err error) bool {
	for _, e := range []error{errCorrupt, bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum, bolterrors.ErrInvalidMapping} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// createIndex makes an index that is to be filled. Until it is complete it has
// another name, so that a crash leaves none or a whole one.
func createIndex(dir string) (*indexDB, error) {
	if err := removeNewIndexes(dir); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, newIndexFile)
	if err != nil {
		return nil, fmt.Errorf("make the objects' index: %w", diskError(err))
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("make the objects' index: %w", diskError(err))
	}
	err = db.Update(func(tx *bolt.Tx) error {
		return errors.Join(prepareIndex(tx), tx.Bucket(bktMeta).Put(keyRebuild, []byte("1")))
	})
	if err == nil {
		err = publish(f.Name(), filepath.Join(dir, indexFile))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the objects' index: %w", diskError(err)), db.Close())
	}
	return &indexDB{db: db, batch: newBatcher(db)}, nil
}

// publish renames from to the new name to; FAILED_PRECONDITION if that exists.
func publish(from, to string) error {
	err := os.Link(from, to)
	switch {
	case errors.Is(err, os.ErrExist):
		return ml.Errorf(ml.FailedPrecondition, "the objects in %s are in use by another process", filepath.Dir(to))
	case err != nil:
		err = os.Rename(from, to) // there are no hard links here
	default:
		err = os.Remove(from)
	}
	return errors.Join(err, syncFolder(filepath.Dir(to)))
}

// removeNewIndexes removes what crashes of createIndex left.
func removeNewIndexes(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, newIndexFile))
	for _, path := range left {
		if rerr := os.Remove(path); !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// rebuilding reports whether the index is new, or its filling was interrupted.
func (i *indexDB) rebuilding() (yes bool, err error) {
	err = i.view(func(x index) error {
		yes = x.tx.Bucket(bktMeta).Get(keyRebuild) != nil
		return nil
	})
	return yes, err
}

// rebuilt notes that the index has everything.
func (i *indexDB) rebuilt() error {
	return i.update(func(x index) error { return x.tx.Bucket(bktMeta).Delete(keyRebuild) })
}
