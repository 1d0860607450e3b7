package object

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"hearth/ml"
)

// indexDB is an open index.
type indexDB struct {
	db    *bolt.DB
	batch *batcher
}

// openIndex opens the index in dir, which exists, and makes it if need be.
// FAILED_PRECONDITION if another process has it open.
func openIndex(dir string) (*indexDB, error) {
	db, err := bolt.Open(filepath.Join(dir, indexFile), 0o600, &bolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ml.Errorf(ml.FailedPrecondition, "the objects in %s are in use by another process", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the objects' index in %s: %w", dir, diskError(err))
	}
	if err := errors.Join(db.Update(prepareIndex), syncFolder(dir)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &indexDB{db: db, batch: newBatcher(db)}, nil
}

// view runs f in a transaction that only reads.
func (i *indexDB) view(f func(x index) error) error {
	return i.db.View(func(tx *bolt.Tx) error { return f(index{tx}) })
}

// update runs f in a transaction and returns when that is durable. An f that
// returns an error must have written nothing.
func (i *indexDB) update(f func(x index) error) error {
	return i.batch.update(func(tx *bolt.Tx) error { return f(index{tx}) })
}

func (i *indexDB) close() error {
	i.batch.close()
	return i.db.Close()
}
