package metadata

// hearth.db, one line per key. Values are JSON unless said otherwise; SEQ and
// N are 8 bytes, big-endian, so that keys sort by number.
//
//	meta
//	└── schema                   → 8 bytes, big-endian: the version of this layout
//	    (the bucket's sequence counts changes: every etag is one of its numbers)
//	jobs
//	└── PROJECT/SEQ              → jobRecord; SEQ counts submits over all projects
//	job_ids
//	└── PROJECT/JOB              → SEQ: finds a job by its name
//	unfinished
//	└── SEQ                      → key in jobs, for each job whose state is not final
//	attempts
//	└── PROJECT/JOB/N            → Attempt; N from 1
//	models
//	└── PROJECT/MODEL            → modelRecord
//	versions
//	└── PROJECT/MODEL/VERSION    → versionRecord
//	worker_numbers
//	└── PROJECT/MODEL/VERSION    → number of the last worker started; outlives the version
//	operations
//	└── PROJECT/SEQ              → ml.Operation; SEQ counts operations
//	operation_ids
//	└── PROJECT/OPERATION        → SEQ
//
// Names hold no slash, so a prefix that ends in one selects exactly one
// project's or one model's records. A job's record lies in submit order: new
// records go to the end of the tree, where a commit touches few pages, and a
// listing reads neighbours.

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"hearth/ml"
)

var (
	bucketMeta         = []byte("meta")
	bucketJobs         = []byte("jobs")
	bucketJobIDs       = []byte("job_ids")
	bucketUnfinished   = []byte("unfinished")
	bucketAttempts     = []byte("attempts")
	bucketModels       = []byte("models")
	bucketVersions     = []byte("versions")
	bucketWorkers      = []byte("worker_numbers")
	bucketOperations   = []byte("operations")
	bucketOperationIDs = []byte("operation_ids")
)

// submitDelay is how long a submit waits for others to share its commit. A
// commit costs two syncs, so a millisecond is little beside it; bbolt's own
// ten would be felt by a single submit.
const submitDelay = time.Millisecond

// lockTimeout is how long Open waits for another process to let the file go.
const lockTimeout = time.Second

// DB is an open hearth.db. Its methods may be called from any goroutine.
type DB struct {
	// Now is the clock: each transaction asks it once. Set it before use only.
	Now  func() time.Time
	bolt *bbolt.DB
}

// Open opens the file at path, makes it if it is missing, and brings an older
// layout up to date. A file of a newer layout, or one that another process
// holds, is FAILED_PRECONDITION.
func Open(path string) (*DB, error) { return open(path, migrations) }

func open(path string, steps []migration) (*DB, error) {
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ml.Errorf(ml.FailedPrecondition, "%s is in use by another process", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	b.MaxBatchDelay = submitDelay
	db := &DB{Now: time.Now, bolt: b}
	if err := migrate(b, steps); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), b.Close())
	}
	return db, nil
}

// Close waits for running transactions and lets the file go.
func (db *DB) Close() error { return db.bolt.Close() }

// tx is one transaction: one time, one change number.
type tx struct {
	*bbolt.Tx
	now    ml.Timestamp
	change uint64
}

// errUnchanged ends a writing transaction that has nothing to write: it is
// rolled back, which saves the syncs, and is no error.
var errUnchanged = errors.New("nothing to write")

func (db *DB) view(fn func(*tx) error) error {
	return db.bolt.View(func(t *bbolt.Tx) error { return fn(&tx{Tx: t}) })
}

func (db *DB) update(fn func(*tx) error) error {
	err := db.bolt.Update(func(t *bbolt.Tx) error { return fn(&tx{Tx: t, now: db.now()}) })
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// batch is update, but shares a commit with the batch calls of other
// goroutines. fn may run more than once. An error that the user is to see must
// come before fn writes anything: it does not disturb the others then.
func (db *DB) batch(fn func(*tx) error) error {
	var refused *ml.Error
	err := db.bolt.Batch(func(t *bbolt.Tx) error {
		refused = nil
		err := fn(&tx{Tx: t, now: db.now()})
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if err == nil && refused != nil {
		return refused
	}
	return err
}

// now drops the clock's monotonic reading: a time is the same before and after
// it was stored.
func (db *DB) now() ml.Timestamp { return ml.At(db.Now().Round(0)) }

// etag gives the tag of all that this transaction writes.
func (t *tx) etag() ([]byte, error) {
	if t.change == 0 {
		n, err := t.Bucket(bucketMeta).NextSequence()
		if err != nil {
			return nil, err
		}
		t.change = n
	}
	return number(t.change), nil
}

// get reads the record under key into v and reports whether there is one.
func (t *tx) get(bucket, key []byte, v any) (bool, error) {
	b := t.Bucket(bucket).Get(key)
	if b == nil {
		return false, nil
	}
	return true, decode(bucket, key, b, v)
}

// put writes v under key.
func (t *tx) put(bucket, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record %q of %s: %w", key, bucket, err)
	}
	return t.Bucket(bucket).Put(key, b)
}

// decode reads a record. encoding/json copies all that it keeps, so v may
// leave the transaction.
func decode(bucket, key, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode record %q of %s: %w", key, bucket, err)
	}
	return nil
}

// number gives n as a key.
func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// numbered gives the key PREFIX/N.
func numbered(prefix string, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix+"/"), n)
}
