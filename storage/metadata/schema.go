package metadata

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"hearth/ml"
)

// A migration takes the file from one schema version to the next, in one
// transaction with the new version's number. It works on keys and bytes, never
// on this package's record types: those will have moved on when it runs.
type migration func(*bbolt.Tx) error

// migrations[n] goes from version n to n+1; an empty file is version 0. Once
// released, a migration is not changed: add another one.
var migrations = []migration{
	0: createBuckets,
	1: dropQueued,
}

var keySchema = []byte("schema")

// migrate brings the file up to version len(steps).
func migrate(b *bbolt.DB, steps []migration) error {
	for {
		done := false
		err := b.Update(func(t *bbolt.Tx) error {
			version, err := schemaVersion(t)
			if err != nil {
				return err
			}
			if version > uint64(len(steps)) {
				return ml.Errorf(ml.FailedPrecondition,
					"the file has schema version %d and this hearth knows up to %d: use the newer hearth that wrote it", version, len(steps))
			}
			if version == uint64(len(steps)) {
				done = true
				return errUnchanged
			}
			if err := steps[version](t); err != nil {
				return fmt.Errorf("migrate from schema version %d: %w", version, err)
			}
			meta, err := t.CreateBucketIfNotExists(bucketMeta)
			if err != nil {
				return err
			}
			return meta.Put(keySchema, number(version+1))
		})
		if done {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func schemaVersion(t *bbolt.Tx) (uint64, error) {
	meta := t.Bucket(bucketMeta)
	if meta == nil {
		return 0, nil
	}
	v := meta.Get(keySchema)
	if len(v) != 8 {
		return 0, fmt.Errorf("schema version is %d bytes long instead of 8: not a hearth.db?", len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

func createBuckets(t *bbolt.Tx) error {
	for _, name := range []string{
		"meta", "jobs", "job_ids", "unfinished", "queued", "attempts", "models",
		"versions", "worker_numbers", "operations", "operation_ids",
	} {
		if _, err := t.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return nil
}

// dropQueued removes an index of the QUEUED jobs by submit order: the queue's
// order is the scheduler's, which also knows of priorities.
func dropQueued(t *bbolt.Tx) error { return t.DeleteBucket([]byte("queued")) }
