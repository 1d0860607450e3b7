package object

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"hearth/ml"
)

// LocalOptions adjusts a Local.
type LocalOptions struct {
	// ReserveBytes is how much of the disk stays free: writes that would leave
	// less are RESOURCE_EXHAUSTED, reads and deletes go on.
	ReserveBytes int64
	// Log hears what was repaired after a crash.
	Log zerolog.Logger
}

// Local is the Store of plain files.
type Local struct {
	dir   string
	o     LocalOptions
	db    *bolt.DB
	batch *batcher
	names nameLocks
	dirs  folders
	// leftovers has the intent keys of names on which an error left an intent.
	leftovers sync.Map
	links     atomic.Int64 // names hard links in .tmp

	uploads struct {
		mu    sync.Mutex
		open  map[string]*spool
		swept time.Time
	}
	closing sync.Once
	closed  error
}

var _ Store = (*Local)(nil)

// OpenLocal opens the store in dir, which it makes if need be, and repairs what
// a crash left half done. Only one process may have it open:
// FAILED_PRECONDITION for the second.
func OpenLocal(dir string, o LocalOptions) (*Local, error) {
	for _, d := range []string{dir, filepath.Join(dir, stageDir), filepath.Join(dir, uploadDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("open the objects: %w", err)
		}
	}
	db, err := bolt.Open(filepath.Join(dir, indexFile), 0o600, &bolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ml.Errorf(ml.FailedPrecondition, "the objects in %s are in use by another process", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the objects' index in %s: %w", dir, err)
	}
	l := &Local{dir: dir, o: o, db: db, batch: newBatcher(db)}
	l.names.seed = maphash.MakeSeed()
	l.uploads.open = map[string]*spool{}
	if err := errors.Join(db.Update(prepareIndex), syncFolder(dir)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := l.reconcile(); err != nil {
		return nil, errors.Join(fmt.Errorf("repair the objects in %s: %w", dir, err), db.Close())
	}
	return l, nil
}

// Close ends the use of the store. Calls that are under way fail. It may be
// called again.
func (l *Local) Close() error {
	l.closing.Do(func() {
		l.batch.close()
		l.closed = l.db.Close()
	})
	return l.closed
}

// Check implements Keeper.
func (l *Local) Check(context.Context) error { return nil }

// Reindex implements Keeper.
func (l *Local) Reindex(context.Context, func(Reindexed)) (Reindexed, error) {
	return Reindexed{}, ml.Errorf(ml.Unimplemented, "not there yet")
}

// view runs f in a transaction that only reads.
func (l *Local) view(f func(x index) error) error {
	return l.db.View(func(tx *bolt.Tx) error { return f(index{tx}) })
}

// update runs f in a transaction and returns when that is durable. An f that
// returns an error must have written nothing.
func (l *Local) update(f func(x index) error) error {
	return l.batch.update(func(tx *bolt.Tx) error { return f(index{tx}) })
}

// file gives the path of a file of a bucket.
func (l *Local) file(bucket, path string) string { return filepath.Join(l.dir, bucket, path) }

// nameLocks guards names, many of them with one lock: a writer has it from its
// intent to its commit, so that readers see record and file of one generation.
type nameLocks struct {
	seed  maphash.Seed
	locks [1024]sync.RWMutex
}

func (n *nameLocks) of(bucket, name string) *sync.RWMutex {
	return &n.locks[n.number(bucket, name)]
}

// lockBoth locks two names of a bucket for writing, in the order that everybody
// takes, and gives what unlocks them.
func (n *nameLocks) lockBoth(bucket, a, b string) (unlock func()) {
	first, second := n.number(bucket, a), n.number(bucket, b)
	if first > second {
		first, second = second, first
	}
	n.locks[first].Lock()
	if first == second {
		return n.locks[first].Unlock
	}
	n.locks[second].Lock()
	return func() {
		n.locks[second].Unlock()
		n.locks[first].Unlock()
	}
}

func (n *nameLocks) number(bucket, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(n.seed)
	_, _ = h.WriteString(bucket)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(name)
	return h.Sum64() % uint64(len(n.locks))
}
